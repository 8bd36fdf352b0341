"""Keys: made, trusted, refused."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from shopbot.bundle.keys import is_signed, load_private_key, make_keys, read_keys, sign, trust, trusted_keys
from shopbot.errors import BundleError


def test_a_pair_is_made_and_never_overwritten(tmp_path: Path) -> None:
    line = make_keys(tmp_path / "acme")
    assert line.startswith("ssh-ed25519 ") and line.endswith(" acme")
    assert (tmp_path / "acme.pub").read_text() == f"{line}\n"
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("acme", "acme.pub")] == [0o600, 0o644]
    private = (tmp_path / "acme").read_bytes()
    with pytest.raises(BundleError, match="already"):
        make_keys(tmp_path / "acme")
    (tmp_path / "acme.pub").rename(tmp_path / "other.pub")
    with pytest.raises(BundleError, match="already"):
        make_keys(tmp_path / "other")
    assert (tmp_path / "acme").read_bytes() == private


def test_only_the_right_key_and_statement(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_keys(tmp_path / name)
    keys = {name: read_keys(tmp_path / f"{name}.pub") for name in ("one", "two")}
    signature = sign(load_private_key(tmp_path / "one"), b"this")
    assert signature == sign(load_private_key(tmp_path / "one"), b"this")
    assert is_signed(b"this", signature, keys["one"])
    assert is_signed(b"this", signature, [*keys["two"], *keys["one"]])
    assert not is_signed(b"this", signature, keys["two"])
    assert not is_signed(b"that", signature, keys["one"])
    assert not is_signed(b"this", signature, [])


def test_a_box_trusts_what_it_was_told_to(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with pytest.raises(BundleError, match="trusts no key yet"):
        trusted_keys(home)
    for name in ("one", "two"):
        make_keys(tmp_path / name)
    assert trust(home, tmp_path / "one.pub") == 1
    assert trust(home, tmp_path / "one.pub") == 0
    assert trust(home, tmp_path / "two.pub") == 1
    assert len(trusted_keys(home)) == 2
    path = home / "trusted_keys"
    path.write_text(f"# of the fleet\n\n{path.read_text()}")
    assert len(trusted_keys(home)) == 2


@pytest.mark.parametrize(
    "content", ["nonsense", "ssh-ed25519", "ssh-ed25519 AAAA x", "ssh-rsa AAAAB3NzaC1yc2E= x", "\0", "x" * 100_000]
)
def test_what_is_no_key_is_refused_with_its_place(tmp_path: Path, content: str) -> None:
    make_keys(tmp_path / "one")
    path = tmp_path / "bad.pub"
    path.write_text(f"{(tmp_path / 'one.pub').read_text()}{content}\n")
    with pytest.raises(BundleError, match=r"bad\.pub"):
        read_keys(path)
    with pytest.raises(BundleError):
        trust(tmp_path / "home", path)
    assert not (tmp_path / "home" / "trusted_keys").exists()
    with pytest.raises(BundleError, match=r"bad\.pub"):
        load_private_key(path)


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be read: No such file"):
        load_private_key(tmp_path / "none")


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed")
@pytest.mark.parametrize(("kind", "fits"), [("ed25519", True), ("rsa", False)])
def test_keys_of_ssh_keygen(tmp_path: Path, kind: str, fits: bool) -> None:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)], check=True)
    if not fits:
        with pytest.raises(BundleError, match="another kind than Ed25519"):
            load_private_key(path)
        with pytest.raises(BundleError, match="no Ed25519 public key"):
            read_keys(path.with_suffix(".pub"))
        return
    assert is_signed(b"x", sign(load_private_key(path), b"x"), read_keys(path.with_suffix(".pub")))
