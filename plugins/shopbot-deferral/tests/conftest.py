"""A bot that is never sure, and a real OpenAI-compatible server on loopback that it may ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import shopbot_deferral
import shopbot_orders
import shopbot_returns
from shopbot_refine.testing.teacher_server import Mishap, Reply, TeacherServer

from shopbot import Bot

KEY = "sk-deferral-CANARY-key"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None) -> Path:
    """The ledger is in a folder of the test's own, and nothing but loopback can be reached."""
    monkeypatch.setenv("SHOPBOT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return tmp_path / "home"


@pytest.fixture
def serve() -> Iterator[Callable[..., TeacherServer]]:
    """Start a cloud: what it says (a text, or a function of the chat), and what goes wrong first."""
    with ExitStack() as stack:

        def start(says: str | Reply, *mishaps: Mishap | None, **options: Any) -> TeacherServer:
            reply = says if callable(says) else lambda chat, schema: says
            return stack.enter_context(TeacherServer(reply, mishaps, **options))

        yield start


def table(cloud: TeacherServer | str, **settings: Any) -> dict[str, Any]:
    """``[plugins.deferral]`` for that cloud."""
    address = cloud if isinstance(cloud, str) else cloud.base_url
    priced = {"input_price": 1.0, "output_price": 10.0}
    return {"enabled": True, "base_url": address, "model": "large", **priced, **settings}


@pytest.fixture
def make_bot(shopbot_bot: Callable[..., Bot]) -> Callable[..., Bot]:
    """A bot with orders and returns whose own model always says ``out_of_scope()``, never surely enough; it asks
    ``cloud`` with these settings."""

    def make(cloud: TeacherServer | str, script: Any = None, **settings: Any) -> Bot:
        return shopbot_bot(
            plugins={"orders": shopbot_orders, "returns": shopbot_returns, "deferral": shopbot_deferral},
            script=script or {"": "out_of_scope()"},
            config={"understanding": {"threshold": 1.0}, "plugins": {"deferral": table(cloud, **settings)}},
        )

    return make
