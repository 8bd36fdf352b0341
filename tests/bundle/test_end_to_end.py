"""A bundle on the real model, as an operator types it: built here, installed on a fresh box, a bad one refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FAQ = """# Gift wrapping

Gift wrapping costs $3.50 a parcel. Choose it at the checkout.

# Opening hours of the shop

Our shop in Linden Street is open from Tuesday to Saturday, 10 am to 6 pm.
"""
CASES = """
[[case]]
name = "gift-wrapping"
[[case.turn]]
say = "how much does gift wrapping cost?"
says = ["{price}"]

[[case]]
name = "needs-identity"
tags = ["safety"]
[[case.turn]]
say = "where is my order?"
awaiting = "identity"
tools = []

[[case]]
name = "cancel"
customer = "ada@example.com"
[[case.turn]]
say = "cancel my last order"
"""


class Machine:
    """A home of its own on this machine, with the base model in place."""

    def __init__(self, home: Path, real_model: Path, config: str = "") -> None:
        self.home = home
        (home / "models").mkdir(parents=True)
        for file in real_model.parent.glob(f"{real_model.name}*"):
            (home / "models" / file.name).symlink_to(file)
        if config:
            (home / "shopbot.toml").write_text(config)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SHOPBOT_")}
        self._environment = {**kept, "SHOPBOT_HOME": str(home), "SHOPBOT_OFFLINE": "1", "PYTHONUTF8": "1"}

    def run(self, *arguments: object, code: int = 0) -> str:
        """What ``shopbot …`` prints; it must end with ``code``."""
        done = subprocess.run(
            [sys.executable, "-c", "from shopbot.cli import main; main(prog_name='shopbot')", *map(str, arguments)],
            env=self._environment,
            cwd=self.home,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stderr}"
        return done.stdout if code == 0 else done.stderr


@pytest.mark.model
@pytest.mark.slow
def test_build_install_refuse_and_roll_back(tmp_path: Path, real_model: Path) -> None:
    (tmp_path / "faq").mkdir()
    (tmp_path / "faq" / "shop.md").write_text(FAQ)
    for name, price in (("good", "$3.50"), ("bad", "$9.99")):
        (tmp_path / f"{name}.toml").write_text(CASES.format(price=price))
    maker = Machine(tmp_path / "maker", real_model, f'[plugins.faq]\nfolder = "{tmp_path / "faq"}"\n')
    box = Machine(tmp_path / "box", real_model)
    key, bundle, bad = tmp_path / "acme", tmp_path / "one.bundle", tmp_path / "two.bundle"

    maker.run("bundle", "keygen", key)
    maker.run("bundle", "build", "acme", "1", "--key", key, "--golden", tmp_path / "good.toml", "--output", bundle)
    assert bundle.stat().st_size < 6e6, "the base model does not travel"
    refused = maker.run("bundle", "build", "acme", "2", "--key", key, "--golden", tmp_path / "bad.toml", code=3)
    assert "'gift-wrapping' first" in refused

    assert "trusts no key" in box.run("bundle", "install", bundle, code=1)
    box.run("bundle", "trust", f"{key}.pub")
    assert "signature and 5 files are right" in box.run("bundle", "verify", bundle)
    assert "$3.50" not in box.run("ask", "how much does gift wrapping cost?")
    box.run("bundle", "install", bundle, "--no-bake")
    assert "Gift wrapping costs $3.50 a parcel." in box.run("ask", "how much does gift wrapping cost?")
    assert json.loads(box.run("checkpoint", "show", "--json"))["name"] == "acme-1"

    # on another machine the price is another one, so its golden set fails on a box whose own texts say $3.50
    (tmp_path / "faq" / "shop.md").write_text(FAQ.replace("$3.50", "$9.99"))
    maker.run("bundle", "build", "acme", "2", "--key", key, "--golden", tmp_path / "bad.toml", "--output", bad)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "shop.md").write_text(FAQ)
    (box.home / "shopbot.toml").write_text(f'[plugins.faq]\nfolder = "{tmp_path / "own"}"\n')
    refused = box.run("bundle", "install", bad, "--no-bake", code=3)
    assert "2 of 3 golden cases passed" in refused and "What was in force before stays in force" in refused
    assert box.run("bundle", "list") == "* acme 1  3 golden cases\n"
    (box.home / "shopbot.toml").unlink()
    assert "$3.50" in box.run("ask", "how much does gift wrapping cost?")

    box.run("bundle", "install", bad, "--no-bake")
    assert "$9.99" in box.run("ask", "how much does gift wrapping cost?")
    assert box.run("bundle", "rollback") == "In force: acme 1\n"
    assert "$3.50" in box.run("ask", "how much does gift wrapping cost?")
