"""shopbot plugin: what customers ordered, where it is, changing it while that is possible, products before buying."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shopbot import Tool, hookimpl
from shopbot_orders.catalogue import product_info
from shopbot_orders.changing import cancel_order, change_address, change_default_address, change_payment
from shopbot_orders.invoices import invoice
from shopbot_orders.reading import customer_profile, find_orders, order_details, order_status
from shopbot_orders.settings import Settings
from shopbot_orders.swapping import change_items

if TYPE_CHECKING:
    from shopbot import Case


@hookimpl
def shopbot_register_tools(config: Mapping[str, Any]) -> list[Tool]:
    """The plugin's tools; a wrong key in ``[plugins.orders]`` is an error here, before any customer meets it."""
    Settings.of(config)
    return [
        cancel_order,
        change_address,
        change_default_address,
        change_items,
        change_payment,
        customer_profile,
        find_orders,
        invoice,
        order_details,
        order_status,
        product_info,
    ]


@hookimpl
def shopbot_register_cases() -> Iterable[Case]:
    """The plugin's golden cases."""
    from shopbot import load_cases

    return load_cases(Path(__file__).with_name("cases.toml"))
