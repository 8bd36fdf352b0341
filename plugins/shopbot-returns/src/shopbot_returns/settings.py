"""The shop's own rules for returns: the table ``[plugins.returns]`` in shopbot.toml."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic

from shopbot import ConfigError

_Days = Annotated[int, pydantic.Field(strict=True, ge=1, le=3650)]


class Settings(pydantic.BaseModel):
    """What a shop may decide.

    ``window_days``: how many days after delivery an order can be returned. ``exchange_window_days``: the same for
    exchanges (as for returns where it is left out). ``refund_to``: where the money of a return may go.
    ``refund_days``: fewest and most business days that a refund to a card or PayPal takes.
    ``allow_replacement``: whether an item may be exchanged for the very same option. ``currency``: what stands before
    amounts.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    window_days: _Days = 30
    exchange_window_days: _Days | None = None
    refund_to: Annotated[tuple[Literal["original", "gift_card"], ...], pydantic.Field(min_length=1)] = (
        "original",
        "gift_card",
    )
    refund_days: tuple[_Days, _Days] = (5, 7)
    allow_replacement: pydantic.StrictBool = True
    currency: Annotated[str, pydantic.Field(min_length=1, max_length=5)] = "$"

    @pydantic.field_validator("refund_days")
    @classmethod
    def _ordered(cls, days: tuple[int, int]) -> tuple[int, int]:
        if days[0] > days[1]:
            raise ValueError("the fewest days come first, for instance [5, 7]")
        return days

    @property
    def exchange_days(self) -> int:
        """How many days after delivery an order can be exchanged."""
        return self.exchange_window_days or self.window_days


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Validate the plugin's table. :class:`ConfigError` names the key and, if it is misspelt, the nearest known one."""
    try:
        return Settings.model_validate(dict(config))
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, Settings.model_fields, n=1)
        remedy = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(sorted(Settings.model_fields))}."
        raise ConfigError(f"[plugins.returns] has an unknown key '{key}'.", remedy=remedy)
    raise ConfigError(f"[plugins.returns] {key}: {problem['msg']}.", remedy="Correct it in shopbot.toml.")
