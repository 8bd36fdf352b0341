"""What an operator may set, as ``[plugins.deferral]`` in shopbot.toml."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pydantic

from shopbot import ConfigError


class Settings(pydantic.BaseModel):
    """The settings of deferral.

    ``base_url`` and ``model``: an OpenAI-compatible endpoint. Its key is never in the file: ``api_key_env`` names the
    environment variable. Prices are per million tokens, 0 for an endpoint of your own; ``budget``, in the same
    currency, and ``budget_tokens``, of input and output, are hard caps of a calendar month (UTC). ``time_budget_s``:
    how long a customer waits at most. ``at_once``: calls at a time; keep it below ``model.slots``, so that the other
    customers go on. After ``breaker_failures`` failures in a row, nothing is asked for ``breaker_pause_s``.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    enabled: bool = False
    base_url: str = ""
    model: str = ""
    api_key_env: str = "OPENAI_API_KEY"
    input_price: float | None = pydantic.Field(default=None, ge=0, le=1e6)
    output_price: float | None = pydantic.Field(default=None, ge=0, le=1e6)
    budget: float = pydantic.Field(default=5.0, ge=0, le=1e6)
    budget_tokens: int = pydantic.Field(default=10_000_000, ge=0, le=10**15)
    time_budget_s: float = pydantic.Field(default=3.0, ge=0.1, le=30)
    max_output_tokens: int = pydantic.Field(default=300, ge=16, le=10_000)
    at_once: int = pydantic.Field(default=1, ge=1, le=64)
    breaker_failures: int = pydantic.Field(default=3, ge=1)
    breaker_pause_s: float = pydantic.Field(default=60.0, gt=0, le=86_400)

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Settings:
        """Check the table, and of one that is switched on, that it can work. Raises :class:`ConfigError`."""
        try:
            settings = cls.model_validate(table)
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(["plugins.deferral", *(str(part) for part in first["loc"])])
            known = ", ".join(cls.model_fields)
            raise ConfigError(
                f"{where}: {first['msg']}.", remedy=f"The keys of [plugins.deferral] are {known}."
            ) from None
        if settings.enabled:
            settings._check()
        return settings

    @property
    def api_key(self) -> str:
        """The key, from the environment; "" if there is none."""
        return os.environ.get(self.api_key_env, "") if self.api_key_env else ""

    @property
    def is_here(self) -> bool:
        """Whether the endpoint is on this machine."""
        host = urlsplit(self.base_url).hostname or ""
        try:
            return host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    def _check(self) -> None:
        scheme, host, has_login = _parts(self.base_url)
        if scheme not in ("http", "https") or not host:
            raise ConfigError(
                "plugins.deferral.base_url is no http or https address.",
                remedy='Give the endpoint\'s, as in "https://api.openai.com/v1".',
            )
        if has_login:
            raise ConfigError(
                "plugins.deferral.base_url holds a user name.",
                remedy="Put the key into the environment variable that api_key_env names.",
            )
        if scheme == "http" and not self.is_here:
            raise ConfigError(
                f"plugins.deferral.base_url would send messages to {host} unencrypted.",
                remedy="Use https, or a loopback address.",
            )
        if not self.model:
            raise ConfigError("plugins.deferral.model is missing.", remedy="Name the endpoint's model.")
        if self.input_price is None or self.output_price is None:
            raise ConfigError(
                "plugins.deferral.input_price and output_price are missing, so no budget could be kept.",
                remedy="Give the prices of a million tokens, 0 for an endpoint of your own.",
            )
        if not self.api_key.isprintable() or not self.api_key.isascii():
            raise ConfigError(f"The key in {self.api_key_env} is none.", remedy="Set it anew; it is printable ASCII.")
        if not self.api_key and not self.is_here:
            raise ConfigError(
                f"There is no key for {host}.", remedy=f"Set the environment variable {self.api_key_env}."
            )


def _parts(address: str) -> tuple[str, str, bool]:
    """Scheme, host, and whether there is a user name."""
    try:
        url = urlsplit(address)
        return url.scheme, url.hostname or "", url.username is not None
    except ValueError:
        return "", "", False
