"""Markdown files become passages; hostile ones become text."""

from __future__ import annotations

import time

import pytest
from shopbot_faq.markdown import MAX_PASSAGE_CHARS, MAX_QUESTIONS, parse_markdown

PAGE = """---
title: Delivery
url: https://shop.example/delivery
topic: Shipping
---
# Delivery

## Costs & times
questions: what is the postage | how long does it take
Standard costs **$5.95**, see [the list](https://shop.example/list).
questions: third way to ask

- by van
- by bike

| Speed | Price |
|---|---|
| fast | $9 |

### Costs & times
A second heading with that name.
"""


def test_a_heading_and_its_text_are_a_passage() -> None:
    first, second = parse_markdown(PAGE, "delivery.md")
    assert first.title == "Costs & times"
    assert first.trail == ("Delivery",)
    assert first.topic == "shipping"
    assert first.text == (
        "Standard costs $5.95, see the list (https://shop.example/list).\n- by van\n- by bike\nSpeed | Price\nfast | $9"
    )
    assert first.link == "https://shop.example/delivery#costs--times"
    assert second.anchor == "costs--times-1", "two headings of one name need two anchors"
    assert second.trail == ("Delivery",)


def test_questions_are_searched_but_not_shown() -> None:
    first, _ = parse_markdown(PAGE, "delivery.md")
    assert first.questions == ("what is the postage", "how long does it take", "third way to ask")
    assert "postage" not in first.text


def test_a_link_without_url_names_the_file() -> None:
    (passage,) = parse_markdown("# Hours\nWe open at nine.", "sub/stores.md")
    assert passage.link == passage.id == "sub/stores.md#hours"


def test_text_before_the_first_heading_has_the_files_title() -> None:
    (passage,) = parse_markdown("We are closed in May.", "closing-days.md")
    assert passage.title == "Closing days"


def test_a_heading_inside_a_code_fence_is_text() -> None:
    (passage,) = parse_markdown("# Code\n```\n# not a heading\nquestions: not a question\n```\n", "a.md")
    assert passage.text == "# not a heading\nquestions: not a question"
    assert passage.questions == ()


def test_html_and_scripts_stay_text() -> None:
    (passage,) = parse_markdown("# Hi\n<script>alert(1)</script> <b onclick=x>y</b>", "a.md")
    assert passage.text == "<script>alert(1)</script> <b onclick=x>y</b>"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "https://a b", 'https://x"y', "http://"])
def test_only_web_addresses_become_links(url: str) -> None:
    (passage,) = parse_markdown(f"---\nurl: {url}\n---\n# T\ntext [x]({url})", "a.md")
    assert passage.link == "a.md#t"
    assert '"' not in passage.text.partition("(http")[2], "an address that is shown has no quotes in it"
    assert "(javascript" not in passage.text or "[x]" in passage.text


def test_control_and_bidi_characters_go() -> None:
    (passage,) = parse_markdown("# T\nred\x1b[31m \u202eevil\u200b", "a.md")
    assert passage.text == "red[31m evil"


@pytest.mark.parametrize("source", ["", "---\n", "---\ntitle: x\n---\n", "# only a heading", "\ufeff\n\n", "|\n|-|"])
def test_nothing_to_say_gives_no_empty_passage(source: str) -> None:
    assert all(passage.text for passage in parse_markdown(source, "a.md"))


def test_long_passages_end_with_a_sentence_and_questions_are_limited() -> None:
    text = "# T\nquestions: " + " | ".join(f"q{number}" for number in range(200)) + "\n\n" + "One sentence. " * 1000
    (passage,) = parse_markdown(text, "a.md")
    assert len(passage.text) <= MAX_PASSAGE_CHARS
    assert passage.text.endswith("One sentence. …")
    assert len(passage.questions) == MAX_QUESTIONS


@pytest.mark.parametrize("piece", ["[", "`", "*a_", "> ", "- ", "![](", "<a ", "&#x0;", "|a", "#"])
def test_repetition_is_parsed_in_reasonable_time(piece: str) -> None:
    start = time.thread_time()
    parse_markdown("# T\n" + piece * (20_000 // len(piece)), "a.md")
    assert time.thread_time() - start < 5
