"""The widget in a real Chromium, against the real service; only the model is scripted."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import shopbot_orders
import shopbot_returns
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, sync_playwright

from shopbot.bot import Bot
from shopbot.server.app import create_app
from shopbot.server.run import Server, bind, url_of
from shopbot.store import Order

ADA = "ada@example.com"
BOOTS = "the boots and the bottle"
SCRIPT = {
    "": "out_of_scope()",
    "I want to return something": "return_items()",
    BOOTS: f'inform(item="{BOOTS}")',
    f"return {BOOTS}, money on my gift card": f'return_items(item="{BOOTS}", payment="gift card")',
    "show me an order": "order_details()",
    "list my orders": "find_orders()",
    "a human please": "handoff()",
    "yes": "affirm()",
}
_BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome", "chrome")
#: The box may be busy.
_TIMEOUT_MS = 30_000


class Service:
    """A bot on an address that stays the same, whether it answers or not."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot
        self._bound = bind("127.0.0.1", 0)
        self.url = url_of(self._bound)
        self._server: Server | None = None
        self.start()

    def start(self) -> None:
        bound = self._bound if self._server is None else bind("127.0.0.1", self._bound_port)
        self._bound_port = bound.getsockname()[1]
        ready = threading.Event()
        self._server = Server(create_app(self.bot), ready.set)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [bound]})
        self._thread.start()
        assert ready.wait(20), "the service did not start"

    def stop(self) -> None:
        assert self._server is not None
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive(), "the service did not stop"

    @property
    def session_id(self) -> str:
        """The session that was active last."""
        return self.bot.store.session_entries()[0].id

    def orders_of_ada(self) -> dict[str, Order]:
        customer = self.bot.store.customer_by_email(ADA)
        assert customer is not None
        return {order.id: order for order in self.bot.store.orders(customer.id)}

    def said_by_customer(self) -> list[str]:
        return [one.text for one in self.bot.history(self.session_id) if one.role == "customer"]


class Chat:
    """What a customer does with the widget on a page, and sees of it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.panel = page.locator("shopbot-chat .panel")
        self.log = page.get_by_role("log")
        self.field = page.get_by_label("Your message")
        self.notice = page.get_by_role("alert")
        self.choices = page.get_by_role("group", name="Suggested answers")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def say(self, text: str) -> None:
        """Type and send it, and wait until it has been answered."""
        self.type(text)
        self.settle()

    def type(self, text: str) -> None:
        self.field.fill(text)
        self.field.press("Enter")

    def choose(self, name: str) -> None:
        self.button(name).click()
        self.settle()

    def settle(self) -> None:
        self.page.wait_for_function(
            "() => { const root = document.querySelector('shopbot-chat').shadowRoot;"
            " return root.querySelector('.stage').hidden && !root.textContent.includes('Not sent yet'); }"
        )

    def inside(self, script: str, *arguments: Any) -> Any:
        """What a function of the widget's shadow root gives, as in ``"root => root.activeElement.localName"``."""
        call = f"(arguments) => ({script})(document.querySelector('shopbot-chat').shadowRoot, ...arguments)"
        return self.page.evaluate(call, list(arguments))

    def messages(self) -> list[str]:
        """The log's messages as a screen reader gets them, the greeting first."""
        bubbles = self.log.locator(".bubble").all_text_contents()
        return [re.sub(r"\s+", " ", text) for text in bubbles]

    def wait_for(self, text: str) -> None:
        self.log.get_by_text(text).last.wait_for()


class ForeignShop:
    """A merchant's page on an origin of its own, with rules that would spoil the widget and a strict policy."""

    def __init__(self) -> None:
        self.html = ""
        self.policy = ""
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if self.path == "/" else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Security-Policy", shop.policy)
                self.end_headers()
                self.wfile.write(shop.html.encode() if self.path == "/" else b"")

            def log_request(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def embed(self, service_url: str, attributes: str = "") -> None:
        """Show the widget of that service."""
        self.policy = (
            f"default-src 'none'; script-src {service_url}; connect-src {service_url}; style-src 'unsafe-inline'; "
            "require-trusted-types-for 'script'"
        )
        self.html = (
            "<!doctype html><html lang=en style='font-size: 62.5%'><meta name=viewport content='width=device-width'>"
            "<title>A shop</title><style>* { letter-spacing: 9px; color: red; font-size: 40px; }"
            " button, p, section { display: none; background: red !important }</style>"
            "<main><h1>A shop</h1><a id=help href='#'>Help</a></main>"
            f"<script src='{service_url}/widget.js' data-shop='Tea &amp; more' {attributes} defer></script>"
        )

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(20)
        self._server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. Not for the whole run: as long as Playwright is there, asyncio.run does not work in its thread."""
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("there is no Chromium: apt-get install chromium-headless-shell")
    with sync_playwright() as playwright:
        # Chromium's sandbox does not work for root and in most containers; it opens pages of this machine alone
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def serve(shopbot_bot: Callable[..., Bot]) -> Iterator[Callable[..., Service]]:
    """Serve a bot with the demo shop: ``serve(server={…}, script={…})``; sections are those of the configuration, and
    ``more`` and ``tools`` are plugins and tools beside those for orders and returns."""
    with ExitStack() as stack:

        def start(*, more: Any = None, script: Any = None, tools: Any = (), **sections: Any) -> Service:
            plugins = {"orders": shopbot_orders, "returns": shopbot_returns, **(more or {})}
            bot = shopbot_bot(plugins=plugins, script={**SCRIPT, **(script or {})}, tools=tools, config=sections)
            service = Service(bot)
            stack.callback(service.stop)
            return service

        yield start


@pytest.fixture
def foreign() -> Iterator[ForeignShop]:
    shop = ForeignShop()
    yield shop
    shop.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Chat]]:
    """Open a page with the widget: ``visit(url, viewport={…})``; options are those of a browser context.

    What the page writes on the console as an error, or does not catch, fails the test; ``errors`` collects it instead.
    """
    contexts: list[BrowserContext] = []
    unexpected: list[str] = []

    def open_page(url: str, *, errors: list[str] | None = None, **options: Any) -> Chat:
        told = unexpected if errors is None else errors
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(_TIMEOUT_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("console", lambda line: told.append(line.text) if line.type == "error" else None)
        page.goto(url)
        return Chat(page)

    yield open_page
    for context in contexts:
        with suppress(Exception):
            context.unroute_all(behavior="ignoreErrors")
        context.close()
    # a request that got no answer is told of by the browser itself
    assert [text for text in unexpected if "Failed to load resource" not in text] == []


_MESSAGES = "**/v1/sessions/*/messages"


@pytest.fixture
def lose_answers() -> Callable[..., list[Route]]:
    """Have a page's messages reach the service, and the answers not reach the page, ``times`` times."""

    def lose(page: Page, times: int) -> list[Route]:
        lost: list[Route] = []

        def handle(route: Route) -> None:
            if route.request.method != "POST" or len(lost) >= times:
                route.fallback()
                return
            lost.append(route)
            route.fetch()
            route.abort("connectionreset")

        page.route(_MESSAGES, handle)
        return lost

    return lose


@pytest.fixture
def answer_once() -> Callable[..., None]:
    """Have a page's next message answered by ``response``, and not by the service."""

    def answer(page: Page, **response: Any) -> None:
        answered: list[Route] = []

        def handle(route: Route) -> None:
            if route.request.method != "POST" or answered:
                route.fallback()
                return
            answered.append(route)
            route.fulfill(**response)

        page.route(_MESSAGES, handle)

    return answer
