"""The shipped recordings: every answer can be read, and means acts that exist."""

from __future__ import annotations

import json

import pytest
from shopbot_refine.answers import AnswerCheck, AnswerError, read_judgement, read_utterances
from shopbot_refine.prompts import system_prompt
from shopbot_refine.teachers.recorded import read_recording, shipped_recordings

from shopbot import DIALOGUE_ACTS, PluginManager


@pytest.fixture(scope="module")
def check() -> AnswerCheck:
    tools = PluginManager.installed(only=("faq", "orders", "returns"), is_strict=True).tools()
    return AnswerCheck((*tools, *DIALOGUE_ACTS), system_prompt(tools))


def test_every_shipped_answer_holds_acts_of_the_first_party_tools(check: AnswerCheck) -> None:
    judged = written = 0
    for path in shipped_recordings():
        for place, recorded in enumerate(read_recording(path), 1):
            content = json.dumps(recorded.answer)
            try:
                if "verdict" in recorded.answer:
                    judgement = read_judgement(content)
                    assert judgement.verdict == "drop" or check.acts(judgement.acts)
                    judged += 1
                    utterances = judgement.utterances
                else:
                    utterances = read_utterances(content)
                    written += len(utterances)
                for utterance in utterances:
                    check.text(utterance.text)
                    check.acts(utterance.acts)
            except AnswerError as error:
                pytest.fail(f"{path.name}:{place}: {error}")
    assert judged >= 600
    assert written >= 600


def test_a_question_has_one_recorded_answer() -> None:
    requests = [recorded.request for path in shipped_recordings() for recorded in read_recording(path)]
    assert len(requests) == len(set(requests))
