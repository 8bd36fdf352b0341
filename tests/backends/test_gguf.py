"""The GGUF backend on a tiny real model, and on the real one where it is here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopbot import memory
from shopbot.backends import BackendSettings
from shopbot.backends.control import TEMPLATE_TOKENS
from shopbot.backends.gguf import GgufBackend
from shopbot.backends.probe import checked_hash, mark_checked
from shopbot.errors import BackendError, ModelCorruptError, ModelError

LETTERS = "root ::= [a-z]{6}"
GRAMMAR = 'root ::= "yes" | "no"'
CHAT = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def backend(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GgufBackend]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOPBOT_HOME", str(tmp_path_factory.mktemp("home")))
        mark_checked(tiny_model)
        opened = GgufBackend(BackendSettings(tiny_model, context=256, slots=2, threads=1))
        yield opened
        opened.close()


def test_grammar_holds(backend: GgufBackend) -> None:
    done = backend.complete(CHAT.format("hello"), grammar=GRAMMAR, max_tokens=8)
    assert done.text in ("yes", "no")
    assert not done.is_cut, "the grammar ended, so the text is whole"
    assert all(token.logprob <= 0 for token in done.tokens)
    assert "".join(token.text for token in done.tokens) == done.text


def test_greedy_repeats_itself_and_reuses_the_prompt(backend: GgufBackend) -> None:
    prompt = CHAT.format("hello hello hello")
    first = backend.complete(prompt, grammar=LETTERS)
    second = backend.complete(prompt, grammar=LETTERS)
    assert first.text == second.text
    assert len(first.text) == 6
    assert second.cached_tokens >= second.prompt_tokens - 1, f"{second.cached_tokens} of {second.prompt_tokens}"
    assert second.prompt_ms > 0
    assert second.generate_ms > 0


def test_logprobs_are_the_models_own(backend: GgufBackend) -> None:
    bound = backend.complete(CHAT.format("hello"), grammar='root ::= "~"', max_tokens=1)
    assert bound.text == "~"
    assert bound.tokens[0].logprob < -0.01, "inside this grammar the token is certain; the model itself is not"


def test_a_bias_decides_between_words(backend: GgufBackend) -> None:
    prompt = CHAT.format("hello")
    words = {backend.complete(prompt, grammar=GRAMMAR, bias={word: 50.0}).text for word in ("y", "n")}
    assert words == {"yes", "no"}


def test_cut_by_max_tokens(backend: GgufBackend) -> None:
    done = backend.complete(CHAT.format("hello"), grammar=LETTERS, max_tokens=2)
    assert done.is_cut
    assert 0 < len(done.text) < 6


def test_control_tokens_in_text_stay_text(backend: GgufBackend) -> None:
    plain = backend.complete(CHAT.format("a b"), max_tokens=1).prompt_tokens
    injected = backend.complete(CHAT.format("a<repo_name>b"), max_tokens=1).prompt_tokens
    assert injected > plain + 5, "<repo_name> was read as one control token"
    template = backend.complete("<|im_start|>", max_tokens=1).prompt_tokens
    assert template == 1, "the template's own tokens must stay control tokens"


@given(
    pieces=st.lists(st.sampled_from(["<repo_name>", "<|endoftext|>", "<", ">", "|", "<repo_", "name>", "a", "\ud800"]))
)
def test_no_mixture_makes_a_control_token(backend: GgufBackend, pieces: list[str]) -> None:
    text = backend.as_text("".join(pieces))
    assert "<repo_name>" not in text
    assert "<|endoftext|>" not in text


@pytest.mark.parametrize("prompt", ["", "\0", "\ud800", "héllo €😀", "x" * 100])
def test_any_text(backend: GgufBackend, prompt: str) -> None:
    done = backend.complete(CHAT.format(prompt), grammar=GRAMMAR, max_tokens=4)
    assert done.text in ("yes", "no")


@pytest.mark.parametrize("grammar", ["root ::= missing", "(", 'root ::= "open'])
def test_bad_grammar_is_an_error(backend: GgufBackend, grammar: str) -> None:
    with pytest.raises(BackendError, match="grammar"):
        backend.complete("hello", grammar=grammar)
    assert backend.complete("hello", grammar=GRAMMAR).text in ("yes", "no"), "the engine must go on"


def test_too_long_prompt_is_an_error(backend: GgufBackend) -> None:
    with pytest.raises(BackendError, match="too long"):
        backend.complete("hello " * 500)


def test_many_threads(backend: GgufBackend) -> None:
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.append(backend.complete("hello", grammar=GRAMMAR).text))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert set(answers) <= {"yes", "no"}


def test_close_leaves_another_backend_running(tiny_model: Path, tiny_lora: Path, shopbot_home: Path) -> None:
    mark_checked(tiny_model)
    first = GgufBackend(BackendSettings(tiny_model, context=256, threads=1))
    second = GgufBackend(BackendSettings(tiny_model, lora=tiny_lora, context=256, threads=1))
    first.close()
    first.close()
    with pytest.raises(BackendError, match="closed"):
        first.complete("hello")
    assert second.complete("hello", grammar=GRAMMAR).text in ("yes", "no")
    second.close()


def test_close_at_once(tiny_model: Path, shopbot_home: Path) -> None:
    mark_checked(tiny_model)
    for _ in range(10):  # an engine whose loop has not begun would never end
        GgufBackend(BackendSettings(tiny_model, context=256, threads=1)).close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/net/tcp")
def test_engine_opens_no_port(backend: GgufBackend) -> None:
    inodes = {os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}
    for table in ("tcp", "tcp6"):
        path = Path("/proc/net") / table
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            state, inode = line.split()[3], line.split()[9]
            assert state != "0A" or f"socket:[{inode}]" not in inodes, "the engine listens on TCP"


def test_too_little_memory(tiny_model: Path, shopbot_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The amount of memory cannot be arranged for a test without root, so what the system says is replaced.
    monkeypatch.setattr(memory, "available_bytes", lambda: 1 << 20)
    with pytest.raises(ModelError, match="MiB of memory"):
        GgufBackend(BackendSettings(tiny_model))


def test_no_model() -> None:
    with pytest.raises(ModelError, match="model pull"):
        GgufBackend(BackendSettings(None))


def test_unknown_file_is_tried_in_another_process_once(tiny_model: Path, tmp_path: Path, shopbot_home: Path) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(tiny_model.read_bytes())
    assert checked_hash(path) is None
    GgufBackend(BackendSettings(path, context=256, threads=1)).close()
    assert checked_hash(path) == ""


def test_weights_that_are_no_numbers(tiny_model: Path, tmp_path: Path, shopbot_home: Path) -> None:
    path = tmp_path / "nan.gguf"
    content = bytearray(tiny_model.read_bytes())
    content[-400:] = b"\xff" * 400
    path.write_bytes(content)
    with pytest.raises(ModelCorruptError, match=r"nan\.gguf is damaged"):
        GgufBackend(BackendSettings(path))


_OPEN_ALL = """
import json, sys
from shopbot.backends import BackendSettings
from shopbot.backends.gguf import GgufBackend
from shopbot.errors import ModelError
outcomes = []
for path in sys.argv[1:]:
    try:
        backend = GgufBackend(BackendSettings(path, context=256, threads=1))
        backend.complete("hello", max_tokens=2)
        backend.close()
        outcomes.append("loaded")
    except ModelError as error:
        outcomes.append("refused" if path in str(error) else f"nameless: {error}")
print(json.dumps(outcomes))
"""


@pytest.mark.slow
def test_random_damage_never_ends_the_process(tiny_model: Path, tmp_path: Path, shopbot_home: Path) -> None:
    import random

    chance = random.Random(7)
    content = tiny_model.read_bytes()
    paths = []
    for number in range(10):
        damaged = bytearray(content)
        if number % 5 == 0:
            del damaged[chance.randrange(len(damaged)) :]
        else:
            end = len(damaged) if number % 5 == 1 else 6000
            for _ in range(chance.randint(1, 6)):
                damaged[chance.randrange(end)] = chance.randrange(256)
        paths.append(tmp_path / f"{number}.gguf")
        paths[-1].write_bytes(damaged)
    done = subprocess.run(
        [sys.executable, "-c", _OPEN_ALL, *map(str, paths)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-2000:]}"
    outcomes = json.loads(done.stdout.splitlines()[-1])
    assert set(outcomes) <= {"loaded", "refused"}, outcomes
    assert "refused" in outcomes


@pytest.mark.model
def test_real_model_answers_in_the_grammar(real_model: Path) -> None:
    backend = GgufBackend(BackendSettings(real_model, context=512))
    head = "<|im_start|>system\nanswer yes or no<|im_end|>\n"
    one = backend.complete(head + CHAT.format("Is the sky blue?"), grammar=GRAMMAR)
    two = backend.complete(head + CHAT.format("Is fire cold?"), grammar=GRAMMAR)
    backend.close()
    assert {one.text, two.text} <= {"yes", "no"}
    assert two.cached_tokens >= 8, f"the static head was read again: {two.cached_tokens} tokens reused"


@pytest.mark.model
def test_real_vocabulary_cannot_be_injected(real_model: Path) -> None:
    from shopbot.header import read_header

    backend = GgufBackend(BackendSettings(real_model, context=512))
    try:
        for token in read_header(real_model).control_tokens:
            if token not in TEMPLATE_TOKENS:
                assert backend.complete(token, max_tokens=1).prompt_tokens > 1, f"{token} was read as a control token"
    finally:
        backend.close()
