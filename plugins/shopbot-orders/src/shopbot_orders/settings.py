"""The plugin's own table in shopbot.toml, ``[plugins.orders]``, checked."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import pydantic

from shopbot import ConfigError

_PLACEHOLDER = "{tracking_id}"


class Settings(pydantic.BaseModel):
    """What a shop can choose. The rest of the policy is not for sale: it is in :mod:`shopbot_orders.policy`.

    ``refund_days``: how long a refund takes that does not go to a gift card, as the customer reads it.
    ``allow_*``: switch off what this shop does not let customers do themselves. ``allow_repeated_payment_change``: an
    order's payment method may be changed more than once. ``tracking_urls``: carrier → address of its tracking page with
    ``{tracking_id}`` in it.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    currency: str = pydantic.Field(default="$", min_length=1, max_length=8)
    refund_days: str = pydantic.Field(default="5 to 7 business days", min_length=1, max_length=60)
    allow_cancel: bool = True
    allow_address_change: bool = True
    allow_payment_change: bool = True
    allow_repeated_payment_change: bool = False
    allow_item_change: bool = True
    allow_default_address_change: bool = True
    tracking_urls: Mapping[str, str] = pydantic.Field(default_factory=dict)

    @pydantic.field_validator("tracking_urls")
    @classmethod
    def _check_templates(cls, templates: Mapping[str, str]) -> Mapping[str, str]:
        for carrier, template in templates.items():
            if not template.startswith("https://") or template.count("{") != 1 or _PLACEHOLDER not in template:
                raise ValueError(f"the address for {carrier} must start with https:// and contain {_PLACEHOLDER} once")
        return templates

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """The settings in a plugin table; :class:`ConfigError` names the key and what it may be."""
        for key in config:
            if key not in cls.model_fields:
                near = difflib.get_close_matches(key, cls.model_fields, n=1)
                known = f"Did you mean '{near[0]}'?" if near else f"Known keys: {', '.join(sorted(cls.model_fields))}."
                raise ConfigError(f"[plugins.orders] has no key '{key}'.", remedy=known)
        try:
            return cls.model_validate(dict(config))
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise ConfigError(
                f"[plugins.orders] {key}: {first['msg']}.", remedy="Correct the value or leave the key out."
            ) from None
