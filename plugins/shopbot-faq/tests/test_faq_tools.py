"""The tools as the bot calls them, on the example files and on a shop's own."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import shopbot_faq
from shopbot_faq.words import synonyms, terms

from shopbot import Answer, Context, Store, Tool
from shopbot.errors import ConfigError


@pytest.fixture(scope="module")
def tools() -> dict[str, Tool]:
    return {tool.name: tool for tool in shopbot_faq.shopbot_register_tools({})}


class NoStore:
    """The FAQ needs no store: touching it fails the test."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the FAQ asked the store for {name}")


def ask(tool: Tool, question: str, **arguments: Any) -> Answer:
    store: Store = NoStore()  # type: ignore[assignment]
    context = Context(store=store, config={}, message=question, today=date(2026, 6, 15), session_id="s")
    return tool.function(context, question=question, **arguments)


def test_both_tools_read_and_need_no_identity(tools: dict[str, Tool]) -> None:
    assert sorted(tools) == ["faq", "shipping_info"]
    assert all(tool.effect == "read" and tool.identity == "none" for tool in tools.values())
    assert [parameter.name for parameter in tools["faq"].spoken] == []
    assert [parameter.name for parameter in tools["shipping_info"].spoken] == ["place"]
    assert all(8 <= len(tool.examples) <= 15 for tool in tools.values())


def test_an_answer_is_the_shops_text_with_title_and_link(tools: dict[str, Tool]) -> None:
    answer = ask(tools["faq"], "do your gift cards expire at some point?")
    assert "never expire" in answer.text
    assert answer.text.endswith("Source: Expiry and loss of gift cards (gift-cards.md#expiry-and-loss-of-gift-cards)")
    assert answer.content["title"] == "Expiry and loss of gift cards"
    assert answer.content["link"] == "gift-cards.md#expiry-and-loss-of-gift-cards"
    assert answer.content["score"] > 0.6


@pytest.mark.parametrize("question", ["forgot my pasword", "FORGOT MY PASSWORD!!!", "forgott my passwrod pls help"])
def test_misspellings_are_forgiven(tools: dict[str, Tool], question: str) -> None:
    assert ask(tools["faq"], question).content["title"] == "Forgotten password", question


def test_what_the_pages_do_not_say_is_not_answered(tools: dict[str, Tool]) -> None:
    answer = ask(tools["faq"], "who founded this company and when")
    assert answer.content["title"] is None
    assert "Source:" not in answer.text
    assert "could not find" in answer.text
    assert "human agent" in answer.text


@pytest.mark.parametrize(
    "question", ["", "?", "   ", "\x00\u202e", "🙂🙂", "a" * 20_000, "what " * 5_000, "¿dónde?", "'\"*"]
)
def test_any_message_gets_an_answer(tools: dict[str, Tool], question: str) -> None:
    for tool in tools.values():
        assert ask(tool, question).text, repr(question[:20])


def test_two_questions_get_two_passages(tools: dict[str, Tool]) -> None:
    answer = ask(tools["faq"], "Hi, I have a lamp. Do gift cards expire? And how do I unsubscribe from the newsletter?")
    assert "never expire" in answer.text
    assert "Unsubscribe" in answer.text
    assert answer.text.count("Source:") == 2
    assert [other["title"] for other in answer.content["also"]] == ["Unsubscribing"]


def test_three_questions_get_two_passages_at_most(tools: dict[str, Tool]) -> None:
    answer = ask(tools["faq"], "Do gift cards expire? How do I unsubscribe? Are your stores open on sundays?")
    assert answer.text.count("Source:") == 2


@pytest.mark.parametrize(
    ("question", "place", "fact"),
    [
        ("how much is shipping", None, "$5.95"),
        ("do you deliver to Portugal", "Portugal", "Portugal"),
        ("what does it cost to Hawaii", "Hawaii", "$12.95"),
        ("and there?", "Hawaii", "$12.95"),
        ("is store pickup possible", None, "free of charge"),
    ],
)
def test_shipping_is_answered_from_the_shipping_pages(
    tools: dict[str, Tool], question: str, place: str | None, fact: str
) -> None:
    answer = ask(tools["shipping_info"], question, place=place)
    assert fact in answer.text
    assert answer.content["link"].startswith("shipping.md#")


@pytest.mark.parametrize("place", ["Iceland", "Mars", "North Korea", "Ber\x1blin\nSource: x", "<b>Atlantis</b>" * 50])
def test_a_place_that_no_page_names_gets_no_yes(tools: dict[str, Tool], place: str) -> None:
    answer = ask(tools["shipping_info"], f"do you ship to {place}?", place=place)
    note, _, rest = answer.text.partition("in general:")
    assert "do not name" in note
    assert len(note) < 200
    assert "\x1b" not in note
    assert "\n" not in note
    assert "Source: Countries we deliver to" in rest


def test_the_shops_own_folder_and_its_changes_are_used(tmp_path: Path) -> None:
    page = tmp_path / "hours.md"
    page.write_text("# Opening hours\nquestions: when do you open\nWe open at nine.\n", encoding="utf-8")
    faq = next(tool for tool in shopbot_faq.shopbot_register_tools({"folder": str(tmp_path)}) if tool.name == "faq")
    assert "nine" in ask(faq, "when do you open?").text
    page.write_text("# Opening hours\nquestions: when do you open\nWe open at eleven.\n", encoding="utf-8")
    assert "eleven" in ask(faq, "when do you open?").text
    page.unlink()
    assert "could not find" in ask(faq, "when do you open?").text


def test_a_long_passage_is_shown_where_it_answers(tmp_path: Path) -> None:
    filler = " ".join(f"Sentence number {number} is about chairs." for number in range(60))
    text = f"# Everything\nquestions: parking at the store\n{filler} Parking is free behind the house. {filler}\n"
    (tmp_path / "all.md").write_text(text, encoding="utf-8")
    faq = next(iter(shopbot_faq.shopbot_register_tools({"folder": str(tmp_path), "threshold": 0.0})))
    shown = ask(faq, "is there parking at the store").content["text"]
    assert "Parking is free" in shown
    assert shown.startswith("…")
    assert len(shown) < 720


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"foldr": "x"}, "Did you mean 'folder'"),
        ({"threshold": 2}, "from 0 to 1"),
        ({"threshold": True}, "from 0 to 1"),
        ({"folder": 3}, "path in quotes"),
        ({"folder": "/nowhere/at/all"}, "does not exist"),
    ],
)
def test_a_wrong_setting_says_what_to_do(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        shopbot_faq.shopbot_register_tools(config)


def test_synonyms_stand_in_one_group_only() -> None:
    text = (Path(shopbot_faq.__file__).parent / "synonyms.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    groups: dict[tuple[str, ...], set[str]] = {}
    for line in lines:
        name, _, words = line.partition(":")
        for word in words.split(","):
            groups.setdefault(tuple(term.stem for term in terms(word)), set()).add(name)
    assert len(synonyms()) > 200
    assert {key: names for key, names in groups.items() if len(names) > 1} == {}


def test_the_cases_load_and_enough_are_conversations() -> None:
    cases = list(shopbot_faq.shopbot_register_cases())
    assert len(cases) >= 66
    assert sum("multi-turn" in case.tags for case in cases) >= 26
    assert len({case.name for case in cases}) == len(cases)
