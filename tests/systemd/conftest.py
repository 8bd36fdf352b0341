"""The real program of tests/cli, to be run as a unit says."""

from __future__ import annotations

from tests.cli.conftest import install_plugin, program  # noqa: F401 - fixtures
