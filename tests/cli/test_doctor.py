"""``shopbot doctor``: every finding has a name, and every failure a remedy."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest


def findings(result: Any) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(result.stdout)}


def test_a_healthy_box(program: Any) -> None:
    result = program.run("doctor", "--json", SHOPBOT_SERVER__PORT="0")
    checks = findings(result)
    assert [name for name, check in checks.items() if not check["is_ok"]] == [], result.stdout
    assert result.returncode == 0
    assert set(checks) == {
        "python",
        "configuration",
        "home folder",
        "disk",
        "memory",
        "processors",
        "clock",
        "plugins",
        "store",
        "transcripts",
        "model",
        "checkpoint",
        "cloud model",
        "port",
        "optional extras",
    }


def test_what_is_wrong_comes_with_its_remedy(program: Any, install_plugin: Any, tmp_path: Path) -> None:
    install_plugin("broken", "import nothing_of_that_name\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = program.run(
            "doctor",
            "--json",
            SHOPBOT_SERVER__PORT=str(taken.getsockname()[1]),
            SHOPBOT_STORE__URL=f"sqlite:///{tmp_path}",
            SHOPBOT_MODEL__BACKEND="nothing",
            SHOPBOT_MODEL__THREADS="256",
        )
    assert result.returncode == 1
    failed = {name: check for name, check in findings(result).items() if not check["is_ok"]}
    assert set(failed) >= {"plugins", "store", "checkpoint", "port"}, result.stdout
    assert "broken" in failed["plugins"]["detail"]
    assert all(check["remedy"] and check["detail"] for check in failed.values()), failed


def test_the_default_backend_needs_a_model(program: Any) -> None:
    result = program.run("doctor", SHOPBOT_MODEL__BACKEND="auto", SHOPBOT_SERVER__PORT="0")
    assert result.returncode == 1
    assert "FAIL  model" in result.stdout
    assert "→ " in result.stdout


def test_a_wrong_configuration_does_not_stop_the_other_checks(program: Any) -> None:
    result = program.run("doctor", "--json", SHOPBOT_SERVER__PROT="1")
    checks = findings(result)
    assert result.returncode == 1
    assert not checks["configuration"]["is_ok"]
    assert "port" in checks["configuration"]["detail"]
    assert checks["python"]["is_ok"]
    assert len(checks) == 15


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="this user may write everywhere")
def test_a_home_that_cannot_be_written(program: Any, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    checks = findings(program.run("doctor", "--json", SHOPBOT_HOME=str(locked / "home")))
    assert not checks["home folder"]["is_ok"]


def test_a_home_that_is_a_file(program: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    checks = findings(program.run("doctor", "--json", SHOPBOT_HOME=str(file)))
    assert not checks["home folder"]["is_ok"]
    assert checks["home folder"]["remedy"]


def test_two_packages_that_bring_tvm(program: Any, tmp_path: Path) -> None:
    pytest.importorskip("tvm")
    both = tmp_path / "both"
    for name in ("apache-tvm", "mlc-ai-nightly-cpu"):  # installing both would spoil this environment
        folder = both / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    path = os.pathsep.join([str(both), os.environ.get("PYTHONPATH", "")])
    result = program.run("doctor", "--json", SHOPBOT_SERVER__PORT="0", PYTHONPATH=path)
    check = findings(result)["optional extras"]
    assert not check["is_ok"], result.stdout
    assert "mlc-ai-nightly-cpu and apache-tvm are both installed" in check["detail"]
    assert "pip uninstall mlc-ai-nightly-cpu apache-tvm" in check["remedy"]
