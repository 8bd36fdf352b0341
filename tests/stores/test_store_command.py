"""``shopbot store``: clean output, whole files, nothing overwritten by accident."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shopbot.cli import main

from .test_retail_json import DOCUMENT


@pytest.fixture(autouse=True)
def _nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SHOPBOT_STORE__URL", raising=False)
    monkeypatch.chdir(tmp_path)


def call(*arguments: str, given: str | None = None, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, ["store", *arguments], input=given)


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    file = tmp_path / "shop.json"
    file.write_text(json.dumps(DOCUMENT, indent=4), encoding="utf-8")
    done = call("import", str(file))
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    return file


def test_the_first_look_says_how_to_begin() -> None:
    looked = call("show")
    assert looked.exit_code == 1
    assert "shopbot store init" in looked.stderr
    assert looked.stdout == ""


def test_init_makes_the_demo_shop_once() -> None:
    made = call("init", "--json")
    assert made.exit_code == 0, made.output
    counts = json.loads(made.stdout)
    assert counts["customers"] >= 300 and counts["orders"] >= 900
    before = call("export").stdout_bytes
    again = call("init")
    assert again.exit_code == 1 and "--force" in again.stderr
    assert call("export").stdout_bytes == before
    assert call("init", "--force", "--seed", "8").exit_code == 0
    assert call("export").stdout_bytes != before
    assert call("init", "--empty", "--force").exit_code == 0
    assert json.loads(call("show", "--json").stdout) == {"products": 0, "customers": 0, "orders": 0}
    assert call("init", "--empty").exit_code == 0, "an empty store may be made empty"


def test_export_gives_the_imported_bytes(imported: Path, tmp_path: Path) -> None:
    assert call("export").stdout_bytes == imported.read_bytes()
    assert call("export", "--output", "out/shop.json").exit_code == 0
    assert (tmp_path / "out" / "shop.json").read_bytes() == imported.read_bytes()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["shop.json"], "a draft is left"


def test_import_reads_stdin_and_needs_force_to_overwrite(imported: Path) -> None:
    text = imported.read_text(encoding="utf-8")
    refused = call("import", "-", given=text)
    assert refused.exit_code == 1 and "--force" in refused.stderr
    done = call("import", "-", "--force", "--json", given=text)
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"products": 1, "customers": 1, "orders": 2}


def test_a_bad_document_leaves_no_store_behind(tmp_path: Path) -> None:
    refused = call("import", "-", "--url", f"sqlite:///{tmp_path / 'x' / 'store.db'}", given='{"products": 1}')
    assert refused.exit_code == 1
    assert "products" in refused.stderr and "nothing was imported" in refused.stderr
    assert not (tmp_path / "x").exists()
    assert call("import", "missing.json").exit_code == 1


def test_the_environment_and_the_option_name_the_store(imported: Path, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path / 'other.db'}"
    assert call("init", "--empty", SHOPBOT_STORE__URL=other).exit_code == 0
    assert (tmp_path / "other.db").exists()
    assert json.loads(call("show", "--json", "--url", other).stdout)["orders"] == 0
    assert json.loads(call("show", "--json").stdout)["orders"] == 2


def test_show_prints_records(imported: Path) -> None:
    assert "orders     2" in call("show").stdout
    listed = call("show", "orders", "--limit", "1")
    assert listed.stdout.startswith("#W1") and "1 more" in listed.stderr
    assert [order["order_id"] for order in json.loads(call("show", "orders", "--json").stdout)] == ["#W1", "#W2"]
    assert json.loads(call("show", "customers", "--json").stdout) == [DOCUMENT["users"]["u"]]
    assert json.loads(call("show", "products", "--json").stdout) == [DOCUMENT["products"]["p"]]
    assert json.loads(call("show", "order", "W1", "--json").stdout)["return_state"] == "requested"
    assert "gift_card_1" in call("show", "customer", "u@X.Y").stdout
    assert json.loads(call("show", "customer", "u", "--json").stdout) == DOCUMENT["users"]["u"]


@pytest.mark.parametrize("what", [("order", "#W9"), ("customer", "nobody")])
def test_what_is_not_there_is_said(imported: Path, what: tuple[str, str]) -> None:
    missed = call("show", *what)
    assert missed.exit_code == 1 and "There is no such" in missed.stderr and missed.stdout == ""


@pytest.mark.parametrize("what", [("order",), ("orders", "#W1"), ("shelves",), ("orders", "--limit", "0")])
def test_wrong_usage_has_its_exit_code(what: tuple[str, ...]) -> None:
    assert call("show", *what).exit_code == 2
