"""What was said in a session: kept once, told again, and left to a human agent who has taken over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from shopbot import phrases
from shopbot.backends.scripted import ScriptedBackend
from shopbot.bot import Bot
from shopbot.errors import SessionError
from shopbot.events import ActEvent, DeltaEvent, ReplyEvent
from shopbot.store import Message
from shopbot.tools import Context, tool
from shopbot.transcript import Recorder, Transcripts
from shopbot.types import Answer


@tool(effect="read", examples=["when do you open?", "are you open on sunday"])
def opening_hours(ctx: Context) -> Answer:
    "When the shop is open."
    return Answer("From 9 to 18.")


SCRIPT = {"when do you open?": "opening_hours()", "a person please": "handoff()", "": "out_of_scope()"}


@pytest.fixture
def bot(shopbot_bot: Callable[..., Bot]) -> Bot:
    return shopbot_bot(tools=[opening_hours], script=SCRIPT)


def texts(bot: Bot, session_id: str) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in bot.history(session_id)]


def test_a_turn_is_two_messages(bot: Bot) -> None:
    session = bot.session()
    assert session.history() == []
    reply = session.ask("when do you open?\x00")
    assert texts(bot, session.id) == [("customer", "when do you open?"), ("bot", "From 9 to 18.")]
    said = session.history()[1]
    assert said.payload["turn"] == 1
    assert [act["name"] for act in said.payload["acts"]] == ["opening_hours"]
    assert {**said.payload, "reply": said.text, "turn": 1} == {**reply.as_json(), "turn": 1}
    assert session.history(after=2) == []


def test_a_turn_is_told_as_it_happens(bot: Bot) -> None:
    session = bot.session()
    acts, *pieces, last = session.stream("when do you open?", request_id="one")
    assert isinstance(acts, ActEvent)
    assert [act.name for act in acts.acts] == ["opening_hours"]
    assert pieces == [DeltaEvent("From 9 to 18.")]
    assert isinstance(last, ReplyEvent)
    assert last.reply.as_json() == session.ask("when do you open?", request_id="one").as_json()
    with pytest.raises(SessionError):
        list(bot.stream("nobody", "when do you open?"))


def test_a_repeated_request_is_one_turn_also_after_a_later_one(bot: Bot) -> None:
    session = bot.session()
    first = session.ask("when do you open?", request_id="one")
    session.ask("hm", request_id="two")
    again = session.ask("when do you open?", request_id="one")
    assert again.as_json() == first.as_json()
    assert [message.request_id for message in session.history()] == ["one", "one", "two", "two"]


def test_a_hand_off_waits_for_a_human_agent_and_the_bot_goes_on(bot: Bot) -> None:
    session = bot.session()
    session.ask("a person please")
    assert session.view.mode == "waiting"
    [entry] = bot.store.session_entries(mode="waiting")
    assert (entry.id, entry.turns, entry.last_seq) == (session.id, 1, 2)
    assert session.ask("when do you open?").text == "From 9 to 18."


def test_the_bot_is_silent_while_a_human_agent_has_the_session(bot: Bot) -> None:
    session = bot.session()
    session.ask("a person please")
    bot.set_mode(session.id, "human")
    reply = session.ask("when do you open?", request_id="r")
    assert (reply.text, reply.acts) == ("", ())
    assert reply.handoff is not None
    assert reply.handoff.ticket_id == bot.store.tickets()[0].id
    assert session.ask("when do you open?", request_id="r").as_json() == {**reply.as_json(), "timings_ms": {}}
    bot.store.append_message(session.id, Message("agent", "This is Kim."))
    assert texts(bot, session.id)[2:] == [("customer", "when do you open?"), ("agent", "This is Kim.")]
    bot.set_mode(session.id, "bot")
    assert session.ask("when do you open?").text == "From 9 to 18."


def test_a_human_agent_who_takes_over_in_the_middle_of_a_turn_has_the_word(shopbot_bot: Callable[..., Bot]) -> None:
    is_asked, may_answer = threading.Event(), threading.Event()

    def script(_prompt: str) -> str:
        is_asked.set()
        assert may_answer.wait(20)
        return "opening_hours()"

    bot = shopbot_bot(tools=[opening_hours], script=script)
    other = Bot(config=bot.config, store=bot.store, plugins=bot.plugins, backend=ScriptedBackend({}))
    session = bot.session()
    thread = threading.Thread(target=session.ask, args=("when do you open?",))
    thread.start()
    assert is_asked.wait(20)
    other.set_mode(session.id, "human")  # as another process would
    may_answer.set()
    thread.join(20)
    assert texts(bot, session.id) == [("customer", "when do you open?")]


def test_what_is_refused_is_kept_as_far_as_it_was_read(shopbot_bot: Callable[..., Bot]) -> None:
    bot = shopbot_bot(tools=[opening_hours], config={"session": {"max_message_chars": 50}})
    session = bot.session()
    session.ask("x" * 5000)
    assert texts(bot, session.id) == [("customer", "x" * 50), ("bot", phrases.TOO_LONG.format(limit=50))]


def test_there_is_no_history_without_a_session(bot: Bot) -> None:
    for call in (bot.history, bot.view, lambda name: bot.set_mode(name, "human")):
        with pytest.raises(SessionError):
            call("nobody")


def test_sessions_that_ended_long_ago_are_erased(shopbot_bot: Callable[..., Bot], monkeypatch: Any) -> None:
    idle = {"config": {"session": {"idle_minutes": 5}}, "tools": [opening_hours], "script": SCRIPT}
    bot = shopbot_bot(**idle)
    quiet, waiting = bot.session(), bot.session()
    quiet.ask("when do you open?")
    waiting.ask("a person please")

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(timezone.utc) + timedelta(minutes=6)

    monkeypatch.setattr("shopbot.sessions.datetime", Later)  # nothing else may make a day pass
    shopbot_bot(**idle).session()
    assert bot.store.session_entry(quiet.id) is None
    assert bot.store.messages(quiet.id) == []
    assert len(waiting.history()) == 2, "somebody was asked for"


def test_what_is_erased_at_one_box_is_erased_at_the_other(bot: Bot, tmp_path: Path) -> None:
    """Two boxes share the store; each has transcripts of the turns that it took."""
    boxes = []
    for name in ("first", "second"):
        recorder = Recorder(tmp_path / name / "transcripts.db")
        parts = {"config": bot.config, "store": bot.store, "plugins": bot.plugins, "backend": ScriptedBackend(SCRIPT)}
        boxes.append((Bot(**parts, recorder=recorder), Transcripts(recorder.path)))
    sessions = [boxes[0][0].session().id for _ in range(3)]
    ada = bot.store.customer_by_email("ada@example.com")
    assert ada is not None
    boxes[0][0].identify(sessions[1], ada.id)
    for session in sessions:
        for box, _ in boxes:
            box.ask(session, "when do you open?")
    boxes[0][0].forget(sessions[0])
    boxes[0][1].purge(customer=ada.id)
    bot.store.forget_customer(ada.id)  # as 'shopbot transcripts purge --customer' does
    assert [len(kept.turns(session)) for session in sessions for _, kept in boxes] == [0, 1, 0, 1, 1, 1]
    for box, _ in boxes:
        box.follow_erasures()
        box.follow_erasures()
    assert [len(kept.turns(session)) for session in sessions for _, kept in boxes] == [0, 0, 0, 0, 1, 1]
