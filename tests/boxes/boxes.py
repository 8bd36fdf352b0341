"""The boxes that the tests kill, and what their shop can do."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import httpx
import psycopg

from shopbot.stores.sql import open_store

#: What the tests' shop can do beside the demo shop's plugins; it waits, where DOOR says so, until the door is open.
PLUGIN = """
import os, time
from dataclasses import replace
from pathlib import Path

from shopbot import Answer, hookimpl, tool
from shopbot.backends.scripted import ScriptedBackend

DOOR = Path(os.environ["DOOR"])

def wait(place):
    if (DOOR / place).exists():
        (DOOR / f"{place}.{os.getpid()}").touch()
        while (DOOR / place).exists():
            time.sleep(0.01)

@tool(effect="read", examples=["hold on a minute please", "please wait for me here"])
def wait_here(ctx):
    "Wait until the door is open."
    wait("reading")
    return Answer("Here you are.")

@tool(effect="write", identity="customer", confirm=lambda ctx: "I will give $1 of your gift card to the trees.",
      examples=["give a dollar to the trees", "plant a tree with my gift card"])
def plant_tree(ctx):
    "Give $1 of the gift card to the trees."
    customer = ctx.write.customer(ctx.me.id)
    methods = [replace(one, balance=one.balance - 1) if one.kind == "gift_card" else one
               for one in customer.payment_methods]
    ctx.write.save_customer(replace(customer, payment_methods=tuple(methods)))
    wait("writing")
    return Answer("A tree is planted.")

@hookimpl
def shopbot_register_tools(config):
    return [wait_here, plant_tree]

@hookimpl
def shopbot_after_turn(session, reply):
    wait("answering")

@hookimpl
def shopbot_register_backends():
    script = {"hold on": "wait_here()", "plant a tree": "plant_tree()", "": "out_of_scope()"}
    return {"boxes": lambda settings: ScriptedBackend(script)}
"""


@dataclass(frozen=True)
class Boxes:
    """``processes`` and the addresses they have; ``client`` speaks to nginx, ``http`` to the processes themselves."""

    processes: list[subprocess.Popen[str]]
    addresses: list[str]
    client: httpx.Client
    http: httpx.Client
    door: Path
    database: str

    def close_door(self, place: str) -> None:
        """Have turns wait there: ``reading``, ``writing`` (in the transaction), ``answering`` (all is saved)."""
        (self.door / place).touch()

    def open_door(self, place: str) -> None:
        (self.door / place).unlink()

    def wait_for(self, place: str) -> int:
        """Wait until a turn waits there; the number of its process."""
        deadline = time.monotonic() + 120
        while not (waiting := sorted(self.door.glob(f"{place}.*"))):
            assert time.monotonic() < deadline, f"no turn came to '{place}'"
            self.client.get("/widget.js")
        return [process.pid for process in self.processes].index(int(waiting[0].suffix[1:]))

    def kill_whoever_waits(self, place: str) -> None:
        """Kill the process whose turn waits there, or comes there soon."""
        process = self.processes[self.wait_for(place)]
        process.send_signal(signal.SIGKILL)
        process.wait(30)

    def turns(self) -> list[float]:
        """How many turns each process has taken."""
        lines = [self.http.get(f"{address}/metrics").text.splitlines() for address in self.addresses]
        return [
            sum(float(line.split()[-1]) for line in one if line.startswith("shopbot_turns_total{")) for one in lines
        ]

    def ledger(self, session_id: str) -> list[str]:
        """The tools whose writes of the session the database has."""
        query = "SELECT tool FROM writes WHERE session_id = %s"
        with psycopg.connect(self.database) as connection:
            return [tool for (tool,) in connection.execute(query, (session_id,))]

    def gift_card(self) -> Decimal:
        """Ada's balance."""
        with closing(open_store(self.database)) as store:
            ada = store.customer_by_email("ada@example.com")
        assert ada is not None
        return next(one.balance for one in ada.payment_methods if one.kind == "gift_card" and one.balance is not None)
