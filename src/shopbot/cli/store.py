"""``shopbot store``: create, import, export and look at the shop's records."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shopbot.cli.invocation import Invocation, json_option, print_json, printable, say

if TYPE_CHECKING:
    from shopbot.store import Customer, Order, Product
    from shopbot.stores.sql import SqlStore

_LISTS = ("customers", "orders", "products")


def _url_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--url``; without it the configured store."""
    help_text = "The store; without it store.url of the configuration, or the demo store in the data folder."
    return click.option("--url", callback=_configured, metavar="URL", help=help_text)(function)


def _configured(ctx: click.Context, _parameter: click.Parameter, url: str | None) -> str:
    if url:
        return url
    if isinstance(ctx.obj, Invocation):
        return ctx.obj.config.store_url
    from shopbot.config import load

    return load().store_url


@click.group()
def store() -> None:
    """Create, import, export and show the store."""


@store.command()
@_url_option
@click.option("--demo/--empty", "is_demo", default=True, help="Fill it with the demo shop (the default), or not.")
@click.option("--seed", default=7, show_default=True, help="Another seed makes another demo shop.")
@click.option("--force", is_flag=True, help="Overwrite what is there: records, sessions, tickets and the ledger.")
@json_option
def init(url: str, is_demo: bool, seed: int, force: bool, as_json: bool) -> None:
    """Create the store, or bring it to the newest schema. A filled one is left alone unless forced."""
    from shopbot.stores.demo import fill_demo
    from shopbot.stores.sql import Contents

    with _opened(url, create=True) as opened:
        if is_demo:
            fill_demo(opened, seed=seed, replace_all=force)
        else:
            opened.fill(Contents(), replace=force)
        _report("The store is ready", opened, as_json)


@store.command("import")
@_url_option
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--force", is_flag=True, help="Overwrite what is there: records, sessions, tickets and the ledger.")
@json_option
def import_(url: str, file: Path, force: bool, as_json: bool) -> None:
    """Import a shop from FILE (- is stdin), a JSON document of products, users and orders: all of it or nothing."""
    from shopbot.stores.retail_json import import_retail, parse_document, read_document

    stdin = str(file) == "-"
    document = parse_document(sys.stdin.buffer.read() if stdin else file.read_bytes())
    read_document(document)  # a bad document must not leave an empty new store behind
    with _opened(url, create=True) as opened:
        import_retail(opened, document, replace=force)
        _report("Imported", opened, as_json)


@store.command()
@_url_option
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Write there instead of to stdout.")
@click.option("--complete", is_flag=True, help="Add dates, carriers and states that the common form has no field for.")
def export(url: str, output: Path | None, complete: bool) -> None:
    """Export the shop as one JSON document, which 'import' reads back."""
    from shopbot.files import write_atomic
    from shopbot.stores.retail_json import export_retail, write_document

    with _opened(url) as opened:
        content = write_document(export_retail(opened, is_complete=complete))
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_atomic(output, content)
        say(f"Exported to {output}.")


@store.command()
@_url_option
@click.argument("what", type=click.Choice([*_LISTS, "order", "customer"]), required=False)
@click.argument("key", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="List at most so many.")
@json_option
def show(url: str, what: str | None, key: str | None, limit: int, as_json: bool) -> None:
    """What is in the store: how much of everything, a list, 'order ID', or 'customer EMAIL-or-ID'."""
    if (what in ("order", "customer")) != (key is not None):
        raise click.UsageError("Give 'order ID' or 'customer EMAIL-or-ID'; the other words stand alone.")
    with _opened(url) as opened:
        if what is None:
            counts = opened.counts()
            _print(counts, [f"{name:<10} {count}" for name, count in counts.items()], as_json)
        elif key is None:
            _show_list(opened, what, limit, as_json)
        elif what == "order":
            _show_order(opened, key, as_json)
        else:
            _show_customer(opened, key, as_json)


@contextmanager
def _opened(url: str, *, create: bool = False) -> Iterator[SqlStore]:
    from shopbot.stores.sql import SqlStore

    opened = SqlStore(url, create=create)
    try:
        yield opened
    finally:
        opened.close()


def _report(done: str, opened: SqlStore, as_json: bool) -> None:
    counts = opened.counts()
    where = opened.url.set(query={}).render_as_string(hide_password=True)
    say(f"{done}: {', '.join(f'{count} {name}' for name, count in counts.items())} in {printable(where)}.")
    if as_json:
        print_json(counts)


def _print(document: Any, lines: Sequence[str], as_json: bool) -> None:
    if as_json:
        print_json(document)
    for line in () if as_json else lines:
        click.echo(printable(line))


def _show_list(opened: SqlStore, what: str, limit: int, as_json: bool) -> None:
    from shopbot.stores.retail_json import customer_document, order_document, product_document

    contents = opened.contents()
    if what == "customers":
        people = contents.customers[:limit]
        _print([customer_document(one) for one in people], [_customer_line(one) for one in people], as_json)
    elif what == "orders":
        placed = contents.orders[:limit]
        _print([order_document(one, is_complete=True) for one in placed], [_order_line(one) for one in placed], as_json)
    else:
        catalogue = contents.products[:limit]
        _print([product_document(one) for one in catalogue], [_product_line(one) for one in catalogue], as_json)
    left = opened.counts()[what] - limit
    if left > 0:
        say(f"… and {left} more; --limit shows more.")


def _show_order(opened: SqlStore, key: str, as_json: bool) -> None:
    from shopbot.errors import NotFoundError
    from shopbot.stores.retail_json import order_document

    order = opened.order(key) or opened.order(f"#{key}")  # a shell takes an unquoted # for a comment
    if order is None:
        raise NotFoundError("There is no such order.", remedy="See 'shopbot store show orders'.")
    lines = [
        _order_line(order),
        f"  to {order.address}",
        *(f"  {item.variant_id}  {item}  {item.price}" for item in order.items),
        *(f"  {payment.kind} {payment.amount} {payment.method_id}" for payment in order.payments),
        *(f"  parcel {', '.join(parcel.tracking_ids)} {parcel.carrier}".rstrip() for parcel in order.fulfillments),
    ]
    _print(order_document(order, is_complete=True), lines, as_json)


def _show_customer(opened: SqlStore, key: str, as_json: bool) -> None:
    from shopbot.errors import NotFoundError
    from shopbot.stores.retail_json import customer_document

    customer = opened.customer(key) or opened.customer_by_email(key)
    if customer is None:
        raise NotFoundError("There is no such customer.", remedy="See 'shopbot store show customers'.")
    methods = [
        f"  {method.id}  {method}" + (f"  {method.balance}" if method.balance is not None else "")
        for method in customer.payment_methods
    ]
    orders = [f"  {_order_line(order)}" for order in opened.orders(customer.id)]
    lines = [_customer_line(customer), f"  {customer.address}", *methods, *orders]
    _print(customer_document(customer), lines, as_json)


def _customer_line(customer: Customer) -> str:
    name = f"{customer.first_name} {customer.last_name}"
    return f"{customer.id}  {name} <{customer.email}>  {len(customer.order_ids)} orders"


def _order_line(order: Order) -> str:
    return f"{order.id}  {order.status}  {order.placed_on or '-'}  {order.total}  {order.customer_id}"


def _product_line(product: Product) -> str:
    free = sum(variant.available for variant in product.variants)
    return f"{product.id}  {product.name}  {len(product.variants)} options, {free} available"
