"""Deferral without any plugin of ours: when a cloud model is asked, what it is told, what a reply says about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shopbot import Answer, Bot, CloudModel, Context, Opinion, Question, hookimpl, tool
from shopbot.errors import DuplicateNameError
from shopbot.evals import Case, CaseTurn, demo_stores, judge
from shopbot.server.operators.explanation import explain_answer
from shopbot.transcript import Recorder, Transcripts
from shopbot.turn import reply_from_json


class Cloud:
    """A plugin that brings a cloud model, which says ``says`` and keeps what it was asked."""

    def __init__(self, says: Any = "opening_hours()") -> None:
        self.says = says
        self.asked: list[Question] = []
        self.is_closed = False

    @hookimpl
    def shopbot_register_cloud_model(self, config: Any) -> CloudModel:
        return self

    def ask(self, question: Question) -> Opinion:
        self.asked.append(question)
        if isinstance(self.says, Exception):
            raise self.says
        return Opinion(self.says) if isinstance(self.says, str) else self.says

    def close(self) -> None:
        self.is_closed = True


@tool(effect="read", examples=["when do you open?", "are you open on sunday"])
def opening_hours(ctx: Context) -> Answer:
    "When the shop is open."
    return Answer("We are open from 9 to 18.")


@pytest.fixture
def make(shopbot_bot: Callable[..., Bot]) -> Callable[..., Bot]:
    def make(cloud: Cloud | None, threshold: float = 1.0, **settings: Any) -> Bot:
        return shopbot_bot(
            plugins={"cloud": cloud} if cloud else {},
            tools=[opening_hours],
            config={"understanding": {"threshold": threshold}},
            **settings,
        )

    return make


def test_an_unsure_message_is_answered_by_the_clouds_acts(make: Callable[..., Bot]) -> None:
    cloud = Cloud()
    reply = make(cloud).session().ask("u  open\ttmrw, Mr. Canary from canary@example.com?")
    assert reply.text == "We are open from 9 to 18."
    [question] = cloud.asked
    assert question.message == "u open tmrw, Mr. <NAME_1> from <EMAIL_1>?", "redacted, on one line"
    assert (question.state, [one.name for one in question.tools]) == ("-", ["opening_hours"])
    told = reply.as_json()
    assert told["explain"] == {"act": "out_of_scope", "confidence": 1.0, "threshold": 1.0, "deferral": "answered"}
    assert "defer" in told["timings_ms"]
    assert reply_from_json(json.loads(json.dumps(told))).explain is not None


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ("yo whats up w #W4382745 mate, is it coming", "yo whats up w <ORDER_1> mate, is it coming"),
        ("frobnicate the lamp sideways pls", "frobnicate the lamp sideways pls"),
        ("my name is Jane Canary, what about tomorrow", "my name is <NAME_1>, what about tomorrow"),
        ("Jane Canary, 94110, u there?", "<NAME_1>, <POSTCODE_1>, u there?"),
        ("one <ORDER_1> and #W4382745", "one <ORDER_1> and <ORDER_1>"),
    ],
)
def test_a_visitors_message_is_redacted_no_more_than_needed(make: Callable[..., Bot], message: str, sent: str) -> None:
    cloud = Cloud()
    make(cloud).session().ask(message)
    assert [question.message for question in cloud.asked] == [sent]


def test_a_sure_message_is_not_deferred(make: Callable[..., Bot]) -> None:
    cloud = Cloud()
    reply = make(cloud, threshold=0.8).session().ask("hm")
    assert reply.explain is not None and reply.explain.deferral == "sure"
    assert not cloud.asked and "defer" not in reply.timings_ms


def test_a_model_that_understood_nothing_is_not_sure(make: Callable[..., Bot]) -> None:
    cloud = Cloud()
    reply = make(cloud, threshold=0.5, script={"": 'inform(email="not there")'}).session().ask("hm")
    assert reply.explain is not None and (reply.explain.act, reply.explain.deferral) == ("", "answered")


def test_without_a_cloud_a_reply_says_that_it_is_off(make: Callable[..., Bot]) -> None:
    reply = make(None).session().ask("hm")
    assert reply.explain is not None and reply.explain.deferral == "off"


@pytest.mark.parametrize("says", [RuntimeError("canary@example.com"), None, 3, Opinion(failure="offline")], ids=str)
def test_a_plugin_that_fails_takes_no_turn_with_it(
    make: Callable[..., Bot], says: Any, caplog: pytest.LogCaptureFixture
) -> None:
    cloud = Cloud()
    cloud.says = says
    reply = make(cloud).session().ask("hm")
    assert reply.explain is not None
    assert reply.explain.deferral == ("offline" if isinstance(says, Opinion) else "failed")
    assert reply.text == make(None).session().ask("hm").text, "as without"
    assert "canary" not in caplog.text


def test_it_is_closed_with_the_bot(make: Callable[..., Bot]) -> None:
    cloud = Cloud()
    make(cloud).close()
    assert cloud.is_closed


def test_golden_cases_judge_the_model_on_the_box(make: Callable[..., Bot]) -> None:
    cloud = Cloud()
    bot = make(cloud)
    with demo_stores() as make_store:
        parts = {"config": bot.config, "plugins": bot.plugins, "backend": bot.backend, "manifest": bot.manifest}
        result = judge("cloud", Case("case", (CaseTurn("u open"),)), make_store, **parts)
    assert result.has_passed, result.failures
    assert not cloud.asked


def test_two_cloud_models_are_an_error_that_names_both(shopbot_bot: Callable[..., Bot]) -> None:
    one, other = Cloud(), Cloud()
    with pytest.raises(DuplicateNameError, match="'first' and 'second'"):
        shopbot_bot(plugins={"first": one, "second": other})
    assert one.is_closed and other.is_closed


def test_a_bot_without_a_threshold_knows_that_it_never_asks(make: Callable[..., Bot]) -> None:
    assert make(Cloud(), threshold=0.0).never_defers
    assert not make(Cloud()).never_defers
    assert not make(None, threshold=0.0).never_defers


def test_a_transcript_keeps_why(make: Callable[..., Bot], tmp_path: Path) -> None:
    template = make(Cloud())
    recorder = Recorder(tmp_path / "transcripts.db")
    parts = {"config": template.config, "store": template.store, "plugins": template.plugins}
    with Bot(**parts, backend=template.backend, cloud=Cloud(), recorder=recorder) as bot:
        bot.session().ask("u open")
    [turn] = Transcripts(tmp_path / "transcripts.db").export()
    assert turn["explain"]["deferral"] == "answered"
    assert turn["acts"] == [{"name": "opening_hours", "arguments": {}, "confidence": 1.0}]


def test_a_session_says_no_for_good(make: Callable[..., Bot]) -> None:
    cloud = Cloud()
    bot = make(cloud)
    session = bot.session()
    bot.session(session.id, allows_cloud=False)
    bot.session(session.id, allows_cloud=True)  # going on is no new consent
    assert session.ask("hm").explain.deferral == "opted_out"  # type: ignore[union-attr]
    assert not cloud.asked


def test_operators_read_what_deferral_did(make: Callable[..., Bot]) -> None:
    unsure = "The model on the box found out_of_scope, 100% sure, 100% are asked for."
    answered = make(Cloud()).session().ask("u open tmrw?").as_json()
    assert explain_answer(answered)[1:3] == [unsure, "So the cloud model was asked, and its acts were taken."]
    wrong = make(Cloud("steal_all()")).session().ask("u open tmrw?").as_json()
    assert explain_answer(wrong)[1:3] == [unsure, "The cloud model did not help: not in grammar."]
    assert not any("cloud" in told for told in explain_answer(make(None).session().ask("u open tmrw?").as_json()))
