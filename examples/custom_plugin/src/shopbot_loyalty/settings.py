"""``[plugins.loyalty]`` in shopbot.toml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic

from shopbot import home


class Settings(pydantic.BaseModel):
    """``file``: where redeemed points are kept. ``points_per_dollar``: what one dollar on a gift card costs."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    file: Path | None = None
    points_per_dollar: int = pydantic.Field(default=100, ge=1)
    minimum: int = pydantic.Field(default=100, ge=1)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        return cls.model_validate(dict(config))

    @property
    def path(self) -> Path:
        return self.file or home() / "loyalty.db"
