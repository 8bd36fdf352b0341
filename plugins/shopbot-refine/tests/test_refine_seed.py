"""The seed set: its rules hold over every row, and the same seed gives the same rows."""

from __future__ import annotations

import random
import re

import pytest
from shopbot_refine import pools
from shopbot_refine.acts import Act, parse_act
from shopbot_refine.dataset import DatasetError, Example
from shopbot_refine.noise import add_noise
from shopbot_refine.seed import count_acts, expand, fill, is_grounded, load_seed, load_templates, split_seed

ENUMS = {
    "reason": {"no longer needed", "ordered by mistake"},
    "status": {"pending", "processed", "delivered", "cancelled"},
}
STATE = re.compile(r"-|ask identity|(?:after|confirm) [a-z_]+|ask [a-z_]+\.[a-z]+")


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return load_seed()


def test_every_argument_stands_in_its_text_word_for_word(examples: list[Example]) -> None:
    for example in examples:
        for act in map(parse_act, example.acts):
            for key, value in act.arguments:
                if key in ENUMS:
                    assert value in ENUMS[key], example
                else:
                    assert value.strip(), example
                    assert value in example.text, example


def test_every_row_has_a_known_state_and_a_message_without_placeholders(examples: list[Example]) -> None:
    names = "|".join(pools.PLACEHOLDERS)
    for example in examples:
        assert STATE.fullmatch(example.state), example
        assert example.text.strip(), example
        assert not re.search(rf"\{{(?:{names})\d*\}}", example.text), example


def test_no_row_is_given_twice(examples: list[Example]) -> None:
    assert len({(example.state, example.text) for example in examples}) == len(examples)


def test_acts_are_written_in_one_form(examples: list[Example]) -> None:
    for example in examples:
        assert [str(parse_act(act)) for act in example.acts] == list(example.acts)


def test_the_same_seed_gives_the_same_rows_and_another_one_others(examples: list[Example]) -> None:
    templates = load_templates()[::40]
    assert expand(templates, rows_per_template=2, seed=4) == expand(templates, rows_per_template=2, seed=4)
    assert expand(templates, rows_per_template=2, seed=4) != expand(templates, rows_per_template=2, seed=5)
    assert load_seed()[::500] == examples[::500]


def test_a_template_without_placeholders_gives_itself_and_at_most_one_noisy_copy() -> None:
    template = Example("ask identity", "the one from Tuesday, not the other one", ("deny()",))
    for seed in range(20):
        rows = expand([template], rows_per_template=3, seed=seed)
        assert rows[0] == template
        assert len(rows) <= 2, rows


def test_eval_holds_no_template_of_train() -> None:
    train, held_out = split_seed(eval_share=0.1)
    texts = {" ".join(example.text.lower().split()) for example in train}
    shared = [example.text for example in held_out if example.text.lower() in texts and len(example.text) > 40]
    assert held_out, "nothing was held out"
    assert not shared, shared[:5]


def test_placeholders_are_filled_alike_in_text_and_acts() -> None:
    acts = [Act("change_items", (("item", "{item}"), ("want", "{item2}"))), Act("inform", (("item", "{item}"),))]
    text, filled = fill("the {item}, no, a {item2} for my {item}", acts, random.Random(3))
    first, second = filled[0].arguments[0][1], filled[0].arguments[1][1]
    assert text == f"the {first}, no, a {second} for my {first}"
    assert filled[1].arguments == (("item", first),)


def test_a_number_sign_is_not_doubled() -> None:
    for seed in range(60):
        text, _ = fill("order #{order_id}", [Act("faq", ())], random.Random(seed))
        assert "##" not in text, text


def test_braces_that_are_no_placeholder_stay() -> None:
    text, _ = fill("lamp {'color': 'red'} {unknown}", [Act("faq", ())], random.Random(0))
    assert text == "lamp {'color': 'red'} {unknown}"


@pytest.mark.parametrize("kind", sorted(pools.PLACEHOLDERS))
def test_pools_are_varied_and_quotable(kind: str) -> None:
    rng = random.Random(1)
    values = [pools.PLACEHOLDERS[kind](rng) for _ in range(400)]
    assert len(set(values)) >= 25, f"{kind}: {len(set(values))} different values in 400"
    for value in values:
        assert value == value.strip(), repr(value)
        assert not re.search(r'["\\\n]|  ', value), repr(value)


def test_noise_never_touches_what_an_act_copies() -> None:
    act = Act("cancel_order", (("order", "W8231904"), ("reason", "ordered by mistake")))
    text = "please cancel my order W8231904, I don't want to keep it because I ordered by mistake."
    seen = set()
    for seed in range(200):
        noisy, acts = add_noise(text, [act], random.Random(seed), frame=True)
        assert is_grounded(noisy, acts), (noisy, acts)
        assert dict(acts[0].arguments)["reason"] == "ordered by mistake"
        seen.add(noisy)
    assert len(seen) > 100, "hardly any noise"


def test_a_template_that_breaks_the_rules_is_named() -> None:
    with pytest.raises(DatasetError, match="cancel the lamp"):
        expand([Example("-", "cancel the lamp", ('cancel_order(item="lantern")',))], rows_per_template=1, seed=0)
    with pytest.raises(DatasetError, match=r"eval\(1\)"):
        expand([Example("-", "hello", ("eval(1)",))], rows_per_template=1, seed=0)


def test_every_act_is_covered(examples: list[Example]) -> None:
    counts = count_acts(examples)
    thin = {name: count for name, count in counts.items() if count < 40}
    assert not thin, f"acts with few examples: {thin}"
    assert counts["examples"] == len(examples)
    assert sum(len(example.acts) > 1 for example in examples) > len(examples) / 10
