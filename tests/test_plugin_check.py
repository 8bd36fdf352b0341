"""The ladder of a plugin: what is done, what is missing, what is exempt."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopbot.errors import ConfigError, PluginError
from shopbot.plugin_check import RUNGS, Rung, check_plugin
from shopbot.scaffold import write_plugin

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "custom_plugin"


def states(folder: Path) -> dict[str, Rung]:
    return {rung.name: rung for rung in check_plugin(folder)[1]}


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_the_tutorials_plugin_lacks_nothing() -> None:
    name, rungs = check_plugin(EXAMPLE)
    assert name == "loyalty"
    assert [rung for rung in rungs if rung.state != "done"] == []
    assert [rung.name for rung in rungs] == list(RUNGS)


@pytest.mark.parametrize("folder", sorted((ROOT / "plugins").iterdir()), ids=lambda folder: folder.name)
def test_the_first_party_plugins_lack_nothing(folder: Path) -> None:
    assert [rung for rung in check_plugin(folder)[1] if rung.state == "todo"] == []


def test_a_new_plugin_lacks_cases_only(tmp_path: Path) -> None:
    found = states(write_plugin("check-fresh", tmp_path))
    assert {name for name, rung in found.items() if rung.state == "todo"} == {"cases"}
    assert "there are 2" in found["cases"].detail


@pytest.mark.parametrize(
    ("name", "rung", "file", "old", "new"),
    [
        ("check-a", "dependency", "pyproject.toml", '"shopbot"]', '"shopbots"]'),
        ("check-b", "metadata", "pyproject.toml", "description", "descripton"),
        (
            "check-c",
            "loads",
            "src/shopbot_check_c/__init__.py",
            "from collections",
            "import no_such_module\nfrom collections",
        ),
        (
            "check-d",
            "loads",
            "src/shopbot_check_d/__init__.py",
            "tools(config: Mapping[str, Any])",
            "tools(shop: object)",
        ),
        ("check-e", "hooks", "src/shopbot_check_e/__init__.py", "@hookimpl", "# "),
        ("check-f", "tools", "src/shopbot_check_f/__init__.py", "return [check_f_info]", "return [print]"),
        ("check-g", "examples", "src/shopbot_check_g/tools.py", "explain check g please", "What is  check g?"),
        ("check-h", "imports", "src/shopbot_check_h/tools.py", "import Answer", "import testing, Answer"),
        ("check-i", "entry-point", "pyproject.toml", "entry-points.shopbot", "entry-points.shop"),
        ("check-j", "readme", "README.md", "", ""),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, name: str, rung: str, file: str, old: str, new: str) -> None:
    folder = write_plugin(name, tmp_path)
    if old:
        change(folder / file, old, new)
    else:
        (folder / file).unlink()
    found = states(folder)[rung]
    assert found.state == "todo", found
    assert found.detail


def test_files_that_are_missing(tmp_path: Path) -> None:
    folder = write_plugin("check-files", tmp_path)
    (folder / "src" / "shopbot_check_files" / "py.typed").unlink()
    next((folder / "tests").iterdir()).unlink()
    found = states(folder)
    assert (found["typed"].state, found["tests"].state) == ("todo", "todo")


def test_a_write_without_a_policy(tmp_path: Path) -> None:
    folder = write_plugin("check-write", tmp_path)
    tools = folder / "src" / "shopbot_check_write" / "tools.py"
    change(tools, 'effect="read",', 'effect="write", identity="customer", confirm=lambda ctx: "I will.",')
    assert "check_write_info" in states(folder)["writes"].detail


def test_exemptions_need_a_reason_and_a_rung(tmp_path: Path) -> None:
    folder = write_plugin("check-exempt", tmp_path)
    pyproject = folder / "pyproject.toml"
    plain = pyproject.read_text(encoding="utf-8")
    pyproject.write_text(plain + '\n[tool.shopbot.check.exempt]\ncases = "a demo for docs"\n', encoding="utf-8")
    assert states(folder)["cases"] == Rung("cases", "exempt", "a demo for docs")
    for line in ('cases = "no"', "cases = 1", 'caes = "a demo for docs"', 'writes = "we are careful"'):
        pyproject.write_text(f"{plain}\n[tool.shopbot.check.exempt]\n{line}\n", encoding="utf-8")
        with pytest.raises(ConfigError, match=r"tool\.shopbot\.check\.exempt"):
            check_plugin(folder)


def test_no_such_plugin(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="neither a folder nor installed"):
        check_plugin("no-such-plugin")
    (tmp_path / "pyproject.toml").write_text("[", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be read"):
        check_plugin(tmp_path)
