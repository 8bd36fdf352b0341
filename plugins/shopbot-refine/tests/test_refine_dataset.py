"""Reading examples: what is refused is named with its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from shopbot_refine.acts import parse_act
from shopbot_refine.dataset import DatasetError, Example, fingerprint, load_examples, split_examples

GOOD = '{"state": "-", "text": "hi", "acts": ["smalltalk()"]}'


def test_examples_survive_a_round_trip(tmp_path: Path) -> None:
    shown = (("yo", "smalltalk()"),)
    examples = [Example("-", 'say "hé"\n🙂', ('inform(name="hé")',)), Example("ask identity", "x", ("deny()",), shown)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n\n".join(example.to_json() for example in examples), encoding="utf-8")
    assert load_examples([path]) == examples


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        '{"state": "-", "text": "hi"}',
        '{"state": 1, "text": "hi", "acts": ["faq()"]}',
        '{"state": "-", "text": "hi", "acts": []}',
        '{"state": "-", "text": "hi", "acts": ["faq()\\nfaq()"]}',
        '{"state": "-", "text": "hi", "acts": ["faq()"], "demonstrations": ["x"]}',
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{GOOD}\n{line}\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"rows\.jsonl:2"):
        load_examples([path])


def test_a_missing_or_foreign_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.jsonl"):
        load_examples([tmp_path / "none.jsonl"])
    path = tmp_path / "latin.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match=r"latin\.jsonl"):
        load_examples([path])


def test_rows_of_one_text_stay_on_one_side() -> None:
    examples = [Example(state, f"message {n // 2}", ("faq()",)) for n in range(100) for state in ("-", "after faq")]
    train, held_out = split_examples(examples, eval_share=0.2, seed=1)
    assert len(train) + len(held_out) == len(examples)
    assert 40 <= len(held_out) <= 44
    assert not {example.text for example in train} & {example.text for example in held_out}
    assert split_examples(examples, eval_share=0.2, seed=1) == (train, held_out)


def test_a_moved_boundary_changes_the_fingerprint() -> None:
    assert fingerprint(["ab", "c"]) != fingerprint(["a", "bc"])
    assert fingerprint(["ab", "c"]) == fingerprint(["ab", "c"])


@pytest.mark.parametrize(
    "text", ["", "faq", "faq(1)", 'faq(a=f"{x}")', "x.y()", "faq(**{})", "f" + "(" * 5000, "1+1", "a();b()"]
)
def test_what_is_no_act_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="act"):
        parse_act(text)


def test_an_act_keeps_quotes_and_order() -> None:
    text = 'inform(want="15\\" screen", item="lamp")'
    assert str(parse_act(text)) == text
    assert parse_act(text).arguments == (("want", '15" screen'), ("item", "lamp"))
