"""The scripted backend."""

from __future__ import annotations

import doctest

import pytest

from shopbot.backends import scripted
from shopbot.backends.scripted import ScriptedBackend, customer_message
from shopbot.errors import BackendError

PROMPT = (
    "<|im_start|>system\nshop acts<|im_end|>\n<|im_start|>user\n[-] Where  is it?<|im_end|>\n<|im_start|>assistant\n"
)


def test_callable_gets_the_prompt() -> None:
    backend = ScriptedBackend(lambda prompt: f"seen {len(prompt)}")
    assert backend.complete(PROMPT).text == f"seen {len(PROMPT)}"


def test_mapping_goes_by_the_customers_message() -> None:
    backend = ScriptedBackend({"where is it?": "find()", "": "out_of_scope()"})
    assert backend.complete(PROMPT, grammar="root ::= x").text == "find()"
    assert backend.complete("what else").text == "out_of_scope()"
    assert backend.prompts == [PROMPT, "what else"]
    assert backend.grammars == ["root ::= x", None]


def test_mapping_without_default_names_the_message() -> None:
    with pytest.raises(BackendError, match="Where  is it"):
        ScriptedBackend({"other": "x()"}).complete(PROMPT)


def test_list_is_played_in_order() -> None:
    backend = ScriptedBackend(["a()", "b()"])
    assert [backend.complete(PROMPT).text for _ in range(2)] == ["a()", "b()"]
    with pytest.raises(BackendError, match="2 answers, this is call 3"):
        backend.complete(PROMPT)


def test_tokens_spell_the_text_with_certainty() -> None:
    done = ScriptedBackend(['cancel(order="#W1")\nñandú()']).complete(PROMPT)
    assert "".join(token.text for token in done.tokens) == done.text
    assert {token.logprob for token in done.tokens} == {0.0}
    assert not done.is_cut


def test_max_tokens_cuts() -> None:
    done = ScriptedBackend(["one two three"]).complete(PROMPT, max_tokens=3)
    assert (done.text, done.is_cut) == ("one two", True)


def test_closed() -> None:
    backend = ScriptedBackend(["a()"])
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.complete(PROMPT)


def test_customer_message() -> None:
    assert customer_message(PROMPT) == "Where  is it?"
    assert customer_message("one\ntwo\n") == "two"
    assert customer_message("") == ""


def test_documented_example() -> None:
    assert doctest.testmod(scripted).failed == 0
