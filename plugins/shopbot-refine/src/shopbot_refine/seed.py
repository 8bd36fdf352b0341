"""The seed set: hand-written templates in ``seed/*.jsonl``, expanded into training examples.

A template may hold placeholders ("cancel {order_id}"); each expansion draws new values from
:mod:`shopbot_refine.pools`, the same value in the text and in the acts. Some copies are made noisy the way customers
type, and some single wishes are joined into messages with several. Every argument of every
example stands in its text word for word, except ``reason`` and ``status``. The same seed gives the same examples.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files

from shopbot_refine import pools
from shopbot_refine.acts import Act, parse_act
from shopbot_refine.dataset import DatasetError, Example, parse_example
from shopbot_refine.noise import add_noise

_PLACEHOLDER = re.compile(r"\{(" + "|".join(sorted(pools.PLACEHOLDERS, key=len, reverse=True)) + r")(\d*)\}")
# Joined messages are made of wishes; a "yes" or an insult is no wish, and "forget it" would undo the other half.
_NOT_JOINED = {
    "affirm", "deny", "inform", "nevermind", "handoff", "smalltalk", "abuse", "other_language", "out_of_scope",
}  # fmt: skip
_JOINTS = [
    ". Also, ", " and also ", ". And ", " and ", "; ", "\n", ". Then ", " plus ", "... oh and ", ", also ", " & ",
    ". Second thing: ",
    ". One more: ", ", then ", " also ", ". After that, ", "\n\nAnd ", ", oh and ", ". By the way, ",
]  # fmt: skip
NOISE_SHARE, NOISY_COPY_SHARE, JOINED_SHARE = 0.3, 0.35, 0.1


def load_templates() -> list[Example]:
    """The rows as written, placeholders and all, in the order of the files. Raises :class:`DatasetError`."""
    folder = files("shopbot_refine") / "seed"
    rows: list[Example] = []
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".jsonl"):
            lines = file.read_text(encoding="utf-8").splitlines()
            rows += [parse_example(line, f"seed/{file.name}:{n}") for n, line in enumerate(lines, 1) if line.strip()]
    return rows


def load_seed(rows_per_template: int = 3, seed: int = 0) -> list[Example]:
    """The seed set, expanded; see :func:`expand`."""
    return expand(load_templates(), rows_per_template=rows_per_template, seed=seed)


def split_seed(
    *, eval_share: float = 0.03, rows_per_template: int = 3, seed: int = 0
) -> tuple[list[Example], list[Example]]:
    """(train, eval), divided before expansion (see :func:`split_templates`)."""
    train, held_out = split_templates(eval_share=eval_share, seed=seed)
    return expand(train, rows_per_template=rows_per_template, seed=seed), expand(
        held_out, rows_per_template=1, seed=seed
    )


def split_templates(*, eval_share: float = 0.03, seed: int = 0) -> tuple[list[Example], list[Example]]:
    """(train, eval): no template, and no text whatever its state, is on both sides."""
    templates = load_templates()
    texts = list(dict.fromkeys(template.text.lower() for template in templates))
    random.Random(f"split:{seed}").shuffle(texts)  # noqa: S311 - reproducible, not secret
    held = set(texts[: round(len(texts) * eval_share)])
    held_out = [template for template in templates if template.text.lower() in held]
    train = [template for template in templates if template.text.lower() not in held]
    return train, held_out


def expand(templates: Sequence[Example], *, rows_per_template: int, seed: int) -> list[Example]:
    """Fill, add noise, join; no example twice. Raises :class:`DatasetError` for a template that breaks the rules.

    A template with placeholders gives ``rows_per_template`` examples, one without itself and perhaps a noisy copy.
    """
    rows: dict[tuple[str, str], Example] = {}
    single: list[tuple[str, Act]] = []
    for number, template in enumerate(templates):
        rng = random.Random(f"{seed}:{number}:{template.text}")  # noqa: S311 - reproducible, not secret
        acts = [_read(act, template) for act in template.acts]
        if _PLACEHOLDER.search(template.text):
            copies = [(*fill(template.text, acts, rng), rng.random() < NOISE_SHARE) for _ in range(rows_per_template)]
        else:
            copies = [(template.text, acts, False)]
            if rng.random() < NOISY_COPY_SHARE:
                copies.append((template.text, acts, True))
        for text, filled, noisy in copies:
            if template.state == "-" and len(filled) == 1 and filled[0].name not in _NOT_JOINED:
                single.append((text, filled[0]))
            example = _finish(template.state, text, filled, noisy, rng)
            rows.setdefault((example.state, example.text), example)
    rng = random.Random(f"{seed}:join")  # noqa: S311 - reproducible, not secret
    for _ in range(round(len(rows) * JOINED_SHARE) if len(single) > 2 else 0):
        example = _join(single, rng)
        rows.setdefault((example.state, example.text), example)
    return list(rows.values())


def count_acts(examples: Sequence[Example]) -> dict[str, int]:
    """How many examples hold each act, most frequent first; ``examples`` is their number."""
    counts = Counter(name for example in examples for name in {parse_act(act).name for act in example.acts})
    return {"examples": len(examples), **dict(counts.most_common())}


def fill(text: str, acts: Sequence[Act], rng: random.Random) -> tuple[str, list[Act]]:
    """Put one value for each placeholder into the text and the acts."""
    values: dict[str, str] = {}
    for match in _PLACEHOLDER.finditer(text):
        kind, before = match[1], text[: match.start()]
        if match[0] in values:
            continue
        value = pools.PLACEHOLDERS[kind](rng)
        if kind == "item" and re.search(r"\b(?:an?|one|1)\s$", before, re.IGNORECASE):
            value = pools.item(rng, singular=True)
        if before.endswith("#"):
            value = value.lstrip("#")
        values[match[0]] = value

    def put(source: str) -> str:
        return _PLACEHOLDER.sub(lambda match: values.get(match[0], match[0]), source)

    return put(text), [Act(act.name, tuple((key, put(value)) for key, value in act.arguments)) for act in acts]


def is_grounded(text: str, acts: Sequence[Act]) -> bool:
    """Whether every copied argument stands in the text and no placeholder is left."""
    values = [value for act in acts for value in act.copied()]
    return all(value.strip() and value in text for value in values) and not _PLACEHOLDER.search(
        " ".join([text, *values])
    )


def _read(act: str, template: Example) -> Act:
    try:
        return parse_act(act)
    except ValueError as error:
        raise DatasetError(
            f"{error} in the template {template.text!r}.", remedy='Write name(argument="value").'
        ) from error


def _finish(state: str, text: str, acts: list[Act], noisy: bool, rng: random.Random) -> Example:
    if not is_grounded(text, acts):
        raise DatasetError(
            f"An argument is not in the text: {text!r} → {[str(act) for act in acts]}.", remedy="Copy it word for word."
        )
    if noisy:
        frame = state == "-" and acts[0].name not in _NOT_JOINED
        changed, changed_acts = add_noise(text, acts, rng, frame=frame)
        if changed.strip() and is_grounded(changed, changed_acts):
            text, acts = changed, changed_acts
    return Example(state, text, tuple(str(act) for act in acts))


def _join(single: Sequence[tuple[str, Act]], rng: random.Random) -> Example:
    """Two or three wishes in one message."""
    parts = rng.sample(single, 3 if rng.random() < 0.25 else 2)
    text, acts = parts[0][0], [parts[0][1]]
    for more, act in parts[1:]:
        joint = rng.choice(_JOINTS)
        lowered = more[0].lower() + more[1:]
        is_word = more.split(" ", 1)[0][1:].islower()
        if joint[-1] == " " and is_word and all(value in lowered for value in act.copied()):
            more = lowered
        text = (text.rstrip(".") if joint[0] == "." else text.rstrip(".!")) + joint + more
        if act not in acts:
            acts.append(act)
    noisy = rng.random() < NOISE_SHARE
    return _finish("-", text, acts, noisy, rng)
