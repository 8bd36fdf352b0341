"""``shopbot.testing``: what plugin authors get, used as they use it."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pytest

from shopbot import Answer, Context, Slot, Store, tool
from shopbot.bot import Bot
from shopbot.testing import Conversation, NetworkForbiddenError, assert_nothing_changed, assert_wrote

ADA = "ada@example.com"
Talk = Callable[..., Conversation]


@tool(effect="read", examples=["where is your shop?", "your address"])
def shop_address(ctx: Context) -> Answer:
    "Where the shop is."
    return Answer("12 Market Street.")


@tool(
    effect="write",
    identity="customer",
    confirm=lambda ctx, city: f"I will move you to {city}.",
    examples=["I moved to [city: Oslo]", "my city is now [city: Rome]"],
)
def move(ctx: Context, city: Annotated[str, Slot("Where to?")]) -> Answer:
    "Change the customer's city."
    customer = ctx.write.customer(ctx.me.id)
    ctx.write.save_customer(replace(customer, address=replace(customer.address, city=city)))
    return Answer(f"Moved to {city}.")


def test_a_conversation_is_played_and_can_be_read(shopbot_conversation: Talk) -> None:
    talk = shopbot_conversation(tools=[shop_address, move], customer=ADA)
    assert talk.say("where are you?", acts="shop_address()").text == "12 Market Street."
    talk.say("I moved to Oslo", acts='move(city="Oslo")')
    talk.say("yes")
    call = assert_wrote(talk, "move", city="Oslo")
    assert call.effect == "write"
    for line in (
        "customer: where are you?",
        "    act: shop_address()",
        "    write: move(city='Oslo')",
        "bot: Moved to Oslo.",
    ):
        assert line in talk.transcript, talk.transcript


def test_several_acts_in_one_message(shopbot_conversation: Talk) -> None:
    talk = shopbot_conversation(tools=[shop_address, move], customer=ADA)
    reply = talk.say("where are you? I moved to Rome", acts=["shop_address()", 'move(city="Rome")'])
    assert [act.name for act in reply.acts] == ["shop_address", "move"]


def test_a_demo_store_is_fresh_in_every_test(demo_store: Store, shopbot_conversation: Talk) -> None:
    customer = demo_store.customer_by_email(ADA)
    assert customer is not None
    assert customer.address.city == "Boston"
    assert shopbot_conversation(tools=[shop_address]).store is demo_store


def test_changes_are_found(shopbot_conversation: Talk) -> None:
    talk = shopbot_conversation(tools=[move], customer=ADA)
    with assert_nothing_changed(talk.store):
        talk.say("I moved to Oslo", acts='move(city="Oslo")')
    with (
        pytest.raises(AssertionError, match=r"changed in the store: users\.ada_example"),
        assert_nothing_changed(talk.store),
    ):
        talk.say("yes")


def test_a_write_that_did_not_happen_is_told(shopbot_conversation: Talk) -> None:
    talk = shopbot_conversation(tools=[move], customer=ADA)
    talk.say("I moved to Oslo", acts='move(city="Oslo")')
    with pytest.raises(AssertionError, match="written: nothing"):
        assert_wrote(talk, "move")


@pytest.mark.parametrize(
    ("acts", "complaint"),
    [
        ("shop_adress()", "no tool or dialogue act 'shop_adress'"),
        ('move(town="Oslo")', "'move' takes no 'town'; it takes: city"),
        ("move the customer", "is no act"),
        (None, "The model was asked about 'where are you\\?'"),
    ],
)
def test_a_script_that_no_model_could_write_fails(shopbot_conversation: Talk, acts: str | None, complaint: str) -> None:
    talk = shopbot_conversation(tools=[shop_address, move])
    with pytest.raises(pytest.fail.Exception, match=complaint):
        talk.say("where are you?", acts=acts)


def test_an_unknown_customer_fails(shopbot_conversation: Talk) -> None:
    with pytest.raises(pytest.fail.Exception, match="no customer 'nobody@example'"):
        shopbot_conversation(tools=[shop_address], customer="nobody@example")


def test_a_bot_with_a_script_of_its_own(shopbot_bot: Callable[..., Bot]) -> None:
    bot = shopbot_bot(tools=[shop_address], script={"where?": "shop_address()"})
    assert bot.session().ask("where?").text == "12 Market Street."


def test_the_network_is_out_of_reach(no_network: None) -> None:
    with pytest.raises(NetworkForbiddenError, match=r"203\.0\.113\.7"):
        socket.create_connection(("203.0.113.7", 80), timeout=1)
    with pytest.raises(NetworkForbiddenError, match=r"shop\.example"):
        socket.getaddrinfo("shop.example", 80)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram, pytest.raises(NetworkForbiddenError):
        datagram.sendto(b"x", ("203.0.113.7", 53))


def test_loopback_works_without_network(no_network: None) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(("localhost", server.getsockname()[1]), timeout=5),
    ):
        connection, _ = server.accept()
        connection.close()


_FAILING = """
from shopbot import Answer, tool

@tool(effect="read", examples=["a", "b"])
def shop_address(ctx):
    "Where the shop is."
    return Answer("12 Market Street.")

def test_fails(shopbot_conversation):
    talk = shopbot_conversation(tools=[shop_address])
    talk.say("where are you?", acts="shop_address()")
    assert talk.replies[0].text == "Elsewhere."
"""


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_a_failing_test_shows_its_conversation(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(_FAILING, encoding="utf-8")
    result = pytest_in(tmp_path, "test_it.py")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "shopbot conversation" in result.stdout
    assert "bot: 12 Market Street." in result.stdout


def test_projects_that_do_not_use_it_pay_nothing(tmp_path: Path) -> None:
    """The pytest plugin is loaded everywhere: it must import nothing heavy and warn about nothing."""
    (tmp_path / "test_it.py").write_text(
        "import sys\n\n"
        "def test_it():\n"
        "    heavy = {'numpy', 'pydantic', 'sqlalchemy', 'fastapi', 'xllamacpp', 'torch'} & set(sys.modules)\n"
        "    assert 'shopbot.testing' in sys.modules and not heavy, heavy\n",
        encoding="utf-8",
    )
    result = pytest_in(tmp_path, "-p", "no:hypothesispytest", "-p", "no:anyio", "test_it.py")
    assert result.returncode == 0, result.stdout + result.stderr
