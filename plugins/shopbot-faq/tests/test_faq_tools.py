"""The tools as the bot calls them, on the example files and on a shop's own."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import shopbot_faq
from shopbot_faq.folder import EXAMPLE_FOLDER, FaqFolder
from shopbot_faq.search import THRESHOLD
from shopbot_faq.words import groups, stem, synonyms, terms

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
    assert answer.content["certainty"] == "sure"
    assert answer.content["score"] > 0.6


@pytest.mark.parametrize(
    ("question", "title", "fact"),
    [
        ("Do I reach free shipping with a $45 basket?", "What delivery costs", "free for orders of $50"),
        ("can a bookcase go to an APO", "P.O. boxes and military addresses", "APO, FPO and DPO"),
        ("are your shops open at 9 in the evening", "Store opening hours", "10 a.m. to 8 p.m."),
        ("why hasn't my rating shown up", "Editing or removing a review", "not insults, advertising"),
    ],
)
def test_a_passage_that_comes_close_is_quoted_as_such(
    tools: dict[str, Tool], question: str, title: str, fact: str
) -> None:
    answer = ask(tools["faq"], question)
    passage = next(passage for passage in FaqFolder(EXAMPLE_FOLDER).index.passages if passage.title == title)
    assert fact in passage.text
    others = "\n".join(f"- {other['title']} ({other['link']})" for other in answer.content["close"])
    paragraphs = [
        "I'm not sure this is what you mean; this is the closest I find in our pages:",
        passage.text,
        f"Source: {title} ({passage.link})",
        *([f"These pages come close, too:\n{others}"] if others else []),
        "If that does not answer it, ask me for a human agent.",
    ]
    assert answer.text == "\n\n".join(paragraphs)
    assert answer.content["certainty"] == "close"
    assert (answer.content["title"], answer.content["link"]) == (title, passage.link)
    assert answer.content["text"] == passage.text
    assert 0.0 < answer.content["score"] < THRESHOLD
    assert answer.content["also"] == []


def test_the_shipping_tool_hedges_too(tools: dict[str, Tool]) -> None:
    answer = ask(tools["shipping_info"], "does it have to be signed")
    assert answer.text.startswith("I'm not sure this is what you mean")
    assert "Parcels worth more than $200 need a signature" in answer.text
    assert answer.content["certainty"] == "close"
    assert answer.content["title"] == "Nobody at home"


@pytest.mark.parametrize(
    "question", ["who won the game last night", "translate thank you into French", "quantum physics lectures"]
)
def test_what_is_far_from_every_page_is_not_even_quoted(tools: dict[str, Tool], question: str) -> None:
    answer = ask(tools["faq"], question)
    assert answer.text == (
        "I could not find an answer to that in the shop's pages."
        " If you like, ask me for a human agent, who can help you further."
    )
    assert answer.content["certainty"] == "none"
    assert (answer.content["title"], answer.content["text"], answer.content["close"]) == (None, "", [])


def test_pages_that_only_come_near_are_named(tools: dict[str, Tool]) -> None:
    answer = ask(tools["faq"], "do canadians get hit with duties on top")
    assert answer.content["certainty"] == "none"
    assert "These come closest:" in answer.text
    assert "Source:" not in answer.text
    assert answer.content["close"]


def test_a_surer_shop_hedges_what_another_gives_as_the_answer(tmp_path: Path) -> None:
    (tmp_path / "hours.md").write_text(
        "# Opening hours\nquestions: when do you open\nWe open at nine.\n\n# Parking\nBehind the house.\n",
        encoding="utf-8",
    )
    certainties = [
        ask(
            next(iter(shopbot_faq.shopbot_register_tools({"folder": str(tmp_path), "threshold": threshold}))), text
        ).content["certainty"]
        for text, threshold in (("when do you open?", 0.4), ("when do you open?", 1.0))
    ]
    assert certainties == ["sure", "close"]


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("forgot my pasword", "Forgotten password"),
        ("FORGOT MY PASSWORD!!!", "Forgotten password"),
        ("forgott my passwrod pls help", "Forgotten password"),
        ("how long is the warrenty", "Warranty"),
        ("how can I delete my acount", "Deleting your account"),
        ("when will i recieve my refnd", "How long a refund takes"),
        ("waht are your opening huors", "Store opening hours"),
    ],
)
def test_misspellings_are_forgiven(tools: dict[str, Tool], question: str, title: str) -> None:
    assert ask(tools["faq"], question).content["title"] == title, question


@pytest.mark.parametrize("question", ["what is in the contract", "do you ship to Iceland", "is there a coast near you"])
def test_correct_words_are_not_put_right(question: str) -> None:
    words = set(question.lower().split())
    assert not {"contact", "ireland", "cost"} & words
    index = FaqFolder(EXAMPLE_FOLDER).index
    assert words <= set(index.corrected(question).split())


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
    found: dict[tuple[str, ...], set[str]] = {}
    for group in groups():
        for phrase in group.phrases:
            found.setdefault(tuple(stem(word) for word in phrase.lower().split()), set()).add(group.name or group.kind)
    assert len(synonyms()) > 200
    assert {key: names for key, names in found.items() if len(names) > 1} == {}


@pytest.mark.parametrize(
    ("text", "concepts"),
    [
        ("send the blue one back", ["=return", "blu", "=color"]),
        ("give me the money back", ["=refund"]),
        ("call it off", ["=cancel"]),
        ("is Toronto fine", ["=canada", "=country", "fin"]),
        ("back to the office", ["back", "offic"]),
        ("send", ["=deliver"]),
    ],
)
def test_phrases_with_a_gap_and_kinds_are_understood(text: str, concepts: list[str]) -> None:
    assert [term.concept for term in terms(text)] == concepts


def test_the_plugin_and_its_commands_load_without_numpy() -> None:
    code = "import sys, shopbot_faq, shopbot_faq.commands; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_cases_load_and_enough_are_conversations() -> None:
    cases = list(shopbot_faq.shopbot_register_cases())
    assert len(cases) >= 66
    assert sum("multi-turn" in case.tags for case in cases) >= 26
    assert len({case.name for case in cases}) == len(cases)
