"""What an operator may set, as ``[plugins.refine]`` in shopbot.toml."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

import pydantic

from shopbot import ConfigError

EngineName = Literal["local", "ray"]


class RefineConfig(pydantic.BaseModel):
    """The settings of refine.

    ``collect``: whether this shop's conversations may be used at all. ``teacher``: who answers. ``engine``: what works
    through the rows. The key is never in the file: ``api_key_env`` names the environment variable. Prices are per
    million tokens; ``budget`` is in the same currency, ``budget_tokens`` counts input and output; both are hard caps of
    one refine run, checked before sending. ``values``: how many made-up values a row is trained with whose acts hold a
    placeholder, such as an order's number. ``gate_*`` are shares: how much the candidate may lose against its parent,
    over all cases and for any one tool.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    collect: bool = True
    languages: tuple[str, ...] = ("en",)
    teacher: Literal["live", "batch", "recorded"] = "recorded"
    engine: EngineName = "local"
    base_url: str = "https://api.openai.com/v1"
    model: str = "gpt-5"
    api_key_env: str = "OPENAI_API_KEY"
    input_price: float = pydantic.Field(default=1.25, ge=0)
    output_price: float = pydantic.Field(default=10.0, ge=0)
    batch_discount: float = pydantic.Field(default=0.5, ge=0, le=1)
    budget: float = pydantic.Field(default=5.0, ge=0)
    budget_tokens: int = pydantic.Field(default=5_000_000, ge=0)
    concurrency: int = pydantic.Field(default=4, ge=1, le=64)
    timeout_s: float = pydantic.Field(default=60.0, gt=0)
    attempts: int = pydantic.Field(default=5, ge=1, le=20)
    agreement: float = pydantic.Field(default=0.1, ge=0, le=1)
    write: int = pydantic.Field(default=300, ge=0)
    values: int = pydantic.Field(default=3, ge=1, le=20)
    gate_loss: float = pydantic.Field(default=0.01, ge=0, le=1)
    gate_tool_loss: float = pydantic.Field(default=0.1, ge=0, le=1)

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> RefineConfig:
        """Check ``[plugins.refine]``. Raises :class:`ConfigError` that names the key."""
        try:
            return cls.model_validate(table)
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            known = ", ".join(sorted(cls.model_fields))
            raise ConfigError(
                f"plugins.refine.{where}: {first['msg']}.", remedy=f"The keys of [plugins.refine] are {known}."
            ) from None

    @property
    def api_key(self) -> str:
        """The key from the environment, or ""."""
        return os.environ.get(self.api_key_env, "")
