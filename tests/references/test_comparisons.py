"""Scales and steps: one size bigger, half a size down."""

from __future__ import annotations

import pytest

from shopbot.references.comparisons import compared_option, neighbour, ranks, step, without_step

SHOES = ["12", "6", "8", "7", "9"]


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("one size bigger", 1),
        ("a size smaller", -1),
        ("two sizes up", 2),
        ("2 sizes down", -2),
        ("half a size up", 0.5),
        ("half a size smaller", -0.5),
        ("1 2 size up", 0.5),
        ("the next size up", 1),
        ("the next bigger size", 1),
        ("up one size please", 1),
        ("down by two sizes", -2),
        ("one step brighter", 1),
        ("size up", 1),
        ("a bigger size", None),
        ("bigger", None),
        ("one size fits all", None),
        ("a size 9", None),
        ("four sizes up", None),
        ("up to size 9", None),
        ("no 9", None),
    ],
)
def test_steps(text: str, steps: float | None) -> None:
    assert step(text) == steps


@pytest.mark.parametrize(
    ("values", "current", "steps", "expected"),
    [
        (SHOES, "8", 1, "9"),
        (SHOES, "8", -1, "7"),
        (SHOES, "8", 0.5, "9"),
        (SHOES, "8", 2, "12"),
        (SHOES, "9", 1, "12"),
        (SHOES, "12", 1, None),
        (SHOES, "9", 2, None),
        (["8", "8.5", "9", "9.5"], "8", 1, "9"),
        (["8", "8.5", "9", "9.5"], "8", 0.5, "8.5"),
        (["8", "8.5", "9.5"], "8", 1, "8.5"),
        (["30", "32", "34", "36"], "30", 2, "34"),
        (["XS", "XL", "M", "S", "L"], "S", 1, "M"),
        (["XS", "XL", "M", "S", "L"], "XS", -1, None),
        (["85 cm", "105 cm", "95 cm"], "95 cm", -1, "85 cm"),
        (["500 ml", "1 L", "750 ml"], "750 ml", 1, "1 L"),
        (["cabin", "medium", "large"], "cabin", 1, "medium"),
        (["A5", "A4"], "A5", 1, "A4"),
        (["oak", "pine"], "oak", 1, None),
    ],
)
def test_neighbours_on_a_scale(values: list[str], current: str, steps: float, expected: str | None) -> None:
    assert neighbour(values, current, steps) == expected


def test_what_is_compared() -> None:
    assert compared_option(["color", "size"], "two sizes up") == "size"
    assert compared_option(["color", "brightness"], "brighter") == "brightness"
    assert compared_option(["color", "waist", "fit"], "one size bigger") == "waist"
    assert compared_option(["color", "size"], "blue") is None
    assert ranks(["low", "high", "medium"]) == {"low": 0, "medium": 1, "high": 2}
    assert without_step("2 sizes up in black").split() == ["in", "black"]
