"""Keys open what their hash was kept for, and nothing else."""

from __future__ import annotations

from shopbot.keys import hash_key, is_key, new_key


def test_a_key_is_random_and_opens_its_hash_alone() -> None:
    first, second = new_key(), new_key()
    assert first != second
    assert len(first) == 43, "256 random bits"
    assert is_key(first, hash_key(first))
    assert not is_key(second, hash_key(first))
    assert first not in hash_key(first)


def test_nothing_opens_what_has_no_key() -> None:
    for key in ("", "sha256:", "\ud800", "é", "x" * 10_000):
        for kept in ("", "sha256:", "\ud800", hash_key("other")):
            assert not is_key(key, kept), (key[:9], kept)
