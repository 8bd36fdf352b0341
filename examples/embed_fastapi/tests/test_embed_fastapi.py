"""The merchant's app, served by uvicorn and visited as a browser does."""

from __future__ import annotations

import importlib.util
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import shopbot_orders
import uvicorn

from shopbot import Bot

ADA, ORDER = "ada@example.com", "#W4382745"
SCRIPT = {f"where is {ORDER}?": f'order_status(order="{ORDER}")', "": "smalltalk()"}


@pytest.fixture(scope="module")
def merchant() -> ModuleType:
    """The example's module, which is no package."""
    spec = importlib.util.spec_from_file_location("merchant_app", Path(__file__).parents[1] / "app.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bot(shopbot_bot: Callable[..., Bot]) -> Bot:
    config = {"identity": {"token_secret": "s3cret"}}
    return shopbot_bot(plugins={"orders": shopbot_orders}, script=SCRIPT, config=config)


@pytest.fixture
def browser(merchant: ModuleType, bot: Bot) -> Iterator[httpx.Client]:
    """A browser on the merchant's site: it keeps cookies."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(merchant.create(bot), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            with httpx.Client(base_url=address, timeout=20, trust_env=False) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "the server did not stop"


def log_in(browser: httpx.Client, password: str = "demo", email: str = ADA) -> httpx.Response:
    return browser.post("/login", json={"email": email, "password": password})


def say(browser: httpx.Client, session: dict[str, Any], text: str) -> dict[str, Any]:
    answer = browser.post(
        f"/shop-chat/v1/sessions/{session['session_id']}/messages",
        json={"text": text},
        headers={"Authorization": f"Bearer {session['session_token']}"},
    )
    assert answer.status_code == 200, answer.text
    reply: dict[str, Any] = answer.json()
    return reply


def test_who_is_logged_in_to_the_shop_is_known_in_the_chat(browser: httpx.Client, bot: Bot) -> None:
    assert log_in(browser).json() == {"name": "Ada"}
    token = browser.post("/chat-token").json()
    session = browser.post("/shop-chat/v1/sessions", json=token).json()
    assert ORDER in say(browser, session, f"where is {ORDER}?")["reply"]
    assert bot.view(session["session_id"]).customer_id is not None


def test_who_is_not_logged_in_is_asked_in_the_chat(browser: httpx.Client) -> None:
    assert browser.post("/chat-token").status_code == 401
    session = browser.post("/shop-chat/v1/sessions", json={}).json()
    assert say(browser, session, f"where is {ORDER}?")["awaiting"]["kind"] == "identity"


@pytest.mark.parametrize(("email", "password"), [(ADA, "wrong"), (ADA, ""), ("nobody@example.com", ""), ("", "demo")])
def test_a_wrong_login_gets_no_token(browser: httpx.Client, email: str, password: str) -> None:
    assert log_in(browser, password, email).status_code == 401
    assert browser.post("/chat-token").status_code == 401
    assert browser.post("/chat-token", headers={"Cookie": "login=guess"}).status_code == 401


def test_a_token_cannot_be_made_without_the_secret(browser: httpx.Client) -> None:
    log_in(browser)
    customer, _, rest = browser.post("/chat-token").json()["customer_token"].partition(".")
    assert (
        browser.post("/shop-chat/v1/sessions", json={"customer_token": f"{customer[::-1]}.{rest}"}).status_code == 400
    )


def test_the_page_asks_for_what_there_is(browser: httpx.Client) -> None:
    page = browser.get("/").text
    assert "innerHTML" not in page
    for path in ("/login", "/chat-token", "/shop-chat/v1/sessions"):
        assert f'post("{path}"' in page
        assert browser.post(path, content="no json").status_code in (400, 401, 422), f"there is no {path}"
