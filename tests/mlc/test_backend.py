"""The MLC backend as the rest of shopbot sees it: the same promises as the gguf backend's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopbot.backends import BackendSettings
from shopbot.backends.control import TEMPLATE_TOKENS
from shopbot.backends.mlc.artefact import Artefact
from shopbot.backends.mlc.backend import MLCBackend
from shopbot.backends.mlc.generating import look_up
from shopbot.errors import BackendError, ConfigError, ModelError, ModelNotFoundError
from tests.mlc.reference import reference_logits
from tests.mlc.tokens import CONTROL, VOCABULARY

pytestmark = pytest.mark.usefixtures("code_home")
Make = Callable[..., tuple[Artefact, dict[str, np.ndarray]]]
LETTERS = "root ::= [a-z]{6}"
GRAMMAR = 'root ::= "yes" | "no"'
CHAT = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"


def test_grammar_holds(backend: MLCBackend) -> None:
    done = backend.complete(CHAT.format("hello"), grammar=GRAMMAR, max_tokens=8)
    assert done.text in ("yes", "no")
    assert not done.is_cut, "the grammar ended, so the text is whole"
    assert all(token.logprob <= 0 for token in done.tokens)
    assert "".join(token.text for token in done.tokens) == done.text


def test_greedy_repeats_itself_and_reuses_the_prompt(backend: MLCBackend) -> None:
    prompt = CHAT.format("hello hello hello")
    first = backend.complete(prompt, grammar=LETTERS)
    second = backend.complete(prompt, grammar=LETTERS)
    assert first.tokens == second.tokens
    assert len(first.text) == 6
    assert second.cached_tokens == second.prompt_tokens - 1
    assert second.prompt_ms > 0
    assert second.generate_ms > 0


def test_tokens_and_logprobs_are_the_models_own(backend: MLCBackend, make_artefact: Make) -> None:
    """Without a grammar, against the reference: the likeliest token each time, guesses or not."""
    artefact, weights = make_artefact()
    text = [VOCABULARY.index(letter) for letter in "abcabcabc"]
    expected = []
    for _ in range(12):
        logits = reference_logits(weights, artefact.config, text)[-1]
        shares = np.exp(logits - logits.max())
        token = int(np.argmax(logits))
        if token < len(CONTROL) - 1:
            break
        expected.append(float(np.log(shares[token] / shares.sum())))
        text.append(token)
    done = backend.complete("abcabcabc", max_tokens=12)
    assert [token.logprob for token in done.tokens] == pytest.approx(expected, abs=1e-4)


def test_the_grammar_does_not_touch_logprobs(backend: MLCBackend) -> None:
    bound = backend.complete(CHAT.format("hello"), grammar='root ::= "~"', max_tokens=1)
    assert bound.text == "~"
    assert bound.tokens[0].logprob < -0.01, "inside this grammar the token is certain; the model itself is not"


def test_a_bias_decides_between_words(backend: MLCBackend) -> None:
    prompt = CHAT.format("hello")
    plain = backend.complete(prompt, grammar=GRAMMAR)
    biased = {word: backend.complete(prompt, grammar=GRAMMAR, bias={word: 50.0}) for word in ("y", "n")}
    assert {done.text for done in biased.values()} == {"yes", "no"}
    same = next(done for done in biased.values() if done.text == plain.text)
    assert same.tokens == plain.tokens, "a bias decides, but the model's own opinion is what is told"


def test_cut_by_max_tokens(backend: MLCBackend) -> None:
    done = backend.complete(CHAT.format("hello"), grammar=LETTERS, max_tokens=2)
    assert done.is_cut
    assert 0 < len(done.text) < 6


def test_cut_by_the_context(backend: MLCBackend) -> None:
    done = backend.complete("x" * 250, grammar="root ::= [a-z]+", max_tokens=100)
    assert done.is_cut
    assert done.prompt_tokens + len(done.tokens) == 257, "the last token is told without being read"


def test_control_tokens_in_text_stay_text(backend: MLCBackend) -> None:
    plain = backend.complete(CHAT.format("a b"), max_tokens=1).prompt_tokens
    injected = backend.complete(CHAT.format("a<repo_name>b"), max_tokens=1).prompt_tokens
    assert injected > plain + 5, "<repo_name> was read as one control token"
    assert backend.complete("<|im_start|>", max_tokens=1).prompt_tokens == 1


@given(
    pieces=st.lists(st.sampled_from(["<repo_name>", "<|endoftext|>", "<", ">", "|", "<repo_", "name>", "a", "\ud800"]))
)
def test_any_mixture_is_answered(backend: MLCBackend, pieces: list[str]) -> None:
    text = "".join(pieces)
    done = backend.complete(text, grammar=GRAMMAR)
    assert done.text in ("yes", "no")
    assert done.prompt_tokens >= len(text.encode("utf-8", "replace")) / 2 or not TEMPLATE_TOKENS.isdisjoint(text)


@pytest.mark.parametrize("prompt", ["", "\0", "\ud800", "héllo €😀", "x" * 100])
def test_any_text(backend: MLCBackend, prompt: str) -> None:
    assert backend.complete(CHAT.format(prompt), grammar=GRAMMAR, max_tokens=4).text in ("yes", "no")


def test_the_empty_prompt(backend: MLCBackend) -> None:
    assert backend.complete("", grammar=GRAMMAR).text in ("yes", "no")


def test_a_character_of_several_tokens_comes_whole(backend: MLCBackend) -> None:
    done = backend.complete("hello", grammar='root ::= "€uro"')
    assert done.text == "€uro"
    assert len(done.tokens) > len(done.text)


@pytest.mark.parametrize("grammar", ["root ::= missing", "(", 'root ::= "open'])
def test_bad_grammar_is_an_error(backend: MLCBackend, grammar: str) -> None:
    with pytest.raises(BackendError, match="grammar"):
        backend.complete("hello", grammar=grammar)
    assert backend.complete("hello", grammar=GRAMMAR).text in ("yes", "no"), "the engine must go on"


def test_too_long_prompt_is_an_error(backend: MLCBackend) -> None:
    with pytest.raises(BackendError, match="too long"):
        backend.complete("hello " * 500)


def test_many_threads_share_two_slots(backend: MLCBackend) -> None:
    prompts = [f"{number} hello" for number in range(8)]
    alone = {prompt: backend.complete(prompt, grammar=LETTERS).tokens for prompt in prompts}
    found: dict[str, Any] = {}

    def ask(prompt: str) -> None:
        found[prompt] = backend.complete(prompt, grammar=LETTERS).tokens

    threads = [threading.Thread(target=ask, args=(prompt,)) for prompt in prompts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == alone, "what others ask at the same time must change nothing"


def test_each_conversation_keeps_its_slot(backend: MLCBackend) -> None:
    one, two = "first conversation " * 5, "another one " * 8
    backend.complete(one, grammar=GRAMMAR)
    backend.complete(two, grammar=GRAMMAR)
    again = backend.complete(one + "and more", grammar=GRAMMAR)
    assert again.cached_tokens >= len(one) // 2, f"{again.cached_tokens} tokens reused"


def test_a_stream_is_the_same_text(backend: MLCBackend) -> None:
    whole = backend.complete("hello", grammar=LETTERS)
    assert tuple(backend.stream("hello", grammar=LETTERS)) == whole.tokens


def test_a_stream_that_is_closed_gives_its_slot_back(backend: MLCBackend) -> None:
    for _ in range(5):  # more than there are slots
        stream = backend.stream("hello", grammar="root ::= [a-z]+", max_tokens=10_000)
        next(stream)
        stream.close()  # type: ignore[attr-defined]
    assert backend.complete("hello", grammar=GRAMMAR).text in ("yes", "no")


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [([1, 2, 3, 1, 2], [3, 1, 2]), ([5, 6, 7, 8, 6], [7, 8, 6]), ([1, 2, 3], []), ([1], []), ([], [])],
)
def test_what_a_text_lets_guess(tokens: list[int], expected: list[int]) -> None:
    assert look_up(tokens, 3) == expected


def test_close(make_artefact: Make, code_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_HOME", str(code_home))
    artefact, _ = make_artefact()
    first, second = (MLCBackend(BackendSettings(artefact.folder, context=64, threads=1)) for _ in range(2))
    first.close()
    first.close()
    with pytest.raises(BackendError, match="closed"):
        first.complete("hello")
    assert second.complete("hello", grammar=GRAMMAR).text in ("yes", "no")
    second.close()


def test_close_waits_for_calls(make_artefact: Make, code_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_HOME", str(code_home))
    artefact, _ = make_artefact()
    backend = MLCBackend(BackendSettings(artefact.folder, context=256, threads=1))
    stream = backend.stream("hello", grammar="root ::= [a-z]{100}", max_tokens=200)
    tokens = [next(stream)]
    closing = threading.Thread(target=backend.close)
    closing.start()
    tokens += stream
    closing.join()
    assert len("".join(token.text for token in tokens)) == 100


def test_no_model() -> None:
    with pytest.raises(ModelError, match="model compile"):
        MLCBackend(BackendSettings(None))


def test_no_artefact(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        MLCBackend(BackendSettings(tmp_path))


@pytest.mark.parametrize(("engine", "device", "words"), [("vllm", "cpu", "Known: auto"), ("tvm", "cuda", "mlc_llm")])
def test_no_such_engine(tmp_path: Path, engine: Any, device: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        MLCBackend(BackendSettings(tmp_path), engine, device)
