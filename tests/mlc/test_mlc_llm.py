"""The engine 'mlc_llm' against a double that behaves as the package was seen to: its wheels are not on PyPI."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from shopbot.backends import BackendSettings
from shopbot.backends.mlc.artefact import Artefact
from shopbot.backends.mlc.backend import MLCBackend
from shopbot.errors import BackendError

GRAMMAR = 'root ::= "find_orders(" ("order=" "\\"" [^"]+ "\\"")? ")"'
ACT = ["find", "_orders", "(", "order", '="', "#W1", '")']


class Double:
    """``MLCEngine``: streams of chunks, the last without choices and with the usage, a reason before it."""

    def __init__(self, pieces: list[str], reason: str = "stop", failure: Exception | None = None) -> None:
        self.pieces, self.reason, self.failure = pieces, reason, failure
        self.asked: dict[str, Any] = {}
        self.terminated = 0
        self.read = 0
        self.completions = SimpleNamespace(create=self._create)

    def terminate(self) -> None:
        self.terminated += 1

    def _create(self, **asked: Any) -> Iterator[Any]:
        self.asked = asked
        if self.failure is not None:
            raise self.failure
        return self._stream(asked)

    def _stream(self, asked: dict[str, Any]) -> Iterator[Any]:
        shown = self.pieces[: asked["max_tokens"]]
        reason = "length" if len(shown) < len(self.pieces) else self.reason
        for piece in shown:
            self.read += 1
            yield _chunk([piece])
        yield SimpleNamespace(choices=[SimpleNamespace(text="", logprobs=None, finish_reason=reason)], usage=None)
        yield SimpleNamespace(choices=[], usage=SimpleNamespace(prompt_tokens=9, completion_tokens=len(shown)))


def _chunk(pieces: list[str]) -> Any:
    content = [SimpleNamespace(token=piece, logprob=-0.5, bytes=None, top_logprobs=[]) for piece in pieces]
    logprobs = SimpleNamespace(content=content)
    return SimpleNamespace(
        choices=[SimpleNamespace(text="".join(pieces), logprobs=logprobs, finish_reason=None)], usage=None
    )


@pytest.fixture
def open_backend(
    make_artefact: Callable[..., tuple[Artefact, Any]], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Double], MLCBackend]:
    """A backend whose ``mlc_llm`` is the double."""
    artefact, _ = make_artefact()

    def opened(double: Double) -> MLCBackend:
        module = ModuleType("mlc_llm")
        module.MLCEngine = lambda *, model, device: double  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "mlc_llm", module)
        return MLCBackend(BackendSettings(artefact.folder), "auto", "cuda")

    return opened


def test_an_act(open_backend: Callable[[Double], MLCBackend]) -> None:
    double = Double(ACT)
    backend = open_backend(double)
    done = backend.complete("where is <repo_name> #W1", grammar=GRAMMAR, bias={"he": 1.0})
    assert (backend.engine, done.text, done.is_cut) == ("mlc_llm", 'find_orders(order="#W1")', False)
    assert [token.logprob for token in done.tokens] == [-0.5] * len(ACT)
    assert done.prompt_tokens > 9
    assert "<repo_name>" not in double.asked["prompt"], "a customer's text is no control token"
    assert double.asked["temperature"] == 0.0
    assert list(double.asked["logit_bias"].values()) == [1.0]
    assert "tools" not in double.asked, "mlc_llm ends such texts with an error"


def test_what_the_grammar_does_not_allow_is_cut(open_backend: Callable[[Double], MLCBackend]) -> None:
    done = open_backend(Double(["find", "_orders", "(", ")", " and", " drop"])).complete("hi", grammar=GRAMMAR)
    assert (done.text, done.is_cut) == ("find_orders()", False)
    done = open_backend(Double(["find", "_money", "()"])).complete("hi", grammar=GRAMMAR)
    assert (done.text, done.is_cut) == ("find", True)


def test_cut_by_max_tokens(open_backend: Callable[[Double], MLCBackend]) -> None:
    done = open_backend(Double(ACT)).complete("hi", grammar=GRAMMAR, max_tokens=3)
    assert (done.text, done.is_cut) == ("find_orders(", True)


def test_a_stream_that_is_closed_asks_for_no_more(open_backend: Callable[[Double], MLCBackend]) -> None:
    double = Double(["a"] * 1000)
    stream = open_backend(double).stream("hi", max_tokens=1000)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert double.read < 3


@pytest.mark.parametrize(
    ("double", "words"),
    [
        (Double(["find"], reason="error"), "ended the text with an error"),
        (Double([], failure=ValueError("Tool calls are not supported")), "failed: Tool calls"),
    ],
)
def test_errors(open_backend: Callable[[Double], MLCBackend], double: Double, words: str) -> None:
    with pytest.raises(BackendError, match=words):
        open_backend(double).complete("hi", grammar=GRAMMAR)


def test_close_ends_its_threads_once(open_backend: Callable[[Double], MLCBackend]) -> None:
    double = Double(ACT)
    backend = open_backend(double)
    backend.close()
    backend.close()
    assert double.terminated == 1
    with pytest.raises(BackendError, match="closed"):
        backend.complete("hi")


def test_without_the_package(
    make_artefact: Callable[..., tuple[Artefact, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    artefact, _ = make_artefact()
    monkeypatch.setitem(sys.modules, "mlc_llm", None)
    with pytest.raises(BackendError, match=r"llm\.mlc\.ai"):
        MLCBackend(BackendSettings(artefact.folder), "mlc_llm", "cuda")
