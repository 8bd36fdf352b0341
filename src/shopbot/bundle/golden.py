"""The golden set in a bundle: cases that passed where it was built, and must pass on the box before it goes live."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import pydantic

from shopbot.baking import MAX_LOSS, SAFETY_TAG
from shopbot.config import Config
from shopbot.errors import BundleError, ConfigError, GateError
from shopbot.evals import Case, CaseResult, Report, run_cases
from shopbot.minds import open_backend
from shopbot.plugins import PluginManager

CaseProgress = Callable[[CaseResult], None]


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """A case and the plugin whose it is."""

    plugin: str
    case: Case


_CASES = pydantic.TypeAdapter(tuple[GoldenCase, ...])


def write_cases(cases: Sequence[GoldenCase]) -> bytes:
    """The cases as JSON. Raises :class:`ConfigError` for a value that JSON does not have."""
    try:
        return (json.dumps([asdict(case) for case in cases], ensure_ascii=False, indent=1) + "\n").encode()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"A golden case cannot be packed: {error}.", remedy="Use texts, numbers and lists.") from None


def read_cases(content: bytes) -> tuple[GoldenCase, ...]:
    """Read what :func:`write_cases` wrote. Raises :class:`BundleError`."""
    try:
        return _CASES.validate_json(content)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BundleError(f"The golden set is damaged: {first['msg'][:200]}.", remedy="Have it built again.") from None


def play(
    cases: Sequence[GoldenCase], *, config: Config, plugins: PluginManager, progress: CaseProgress = lambda result: None
) -> Report:
    """Play the cases on the checkpoint that ``config`` names, each on a demo store of its own."""
    manifest, backend = open_backend(config, plugins)
    try:
        return run_cases(
            [(case.plugin, case.case) for case in cases],
            config=config,
            plugins=plugins,
            backend=backend,
            manifest=manifest,
            progress=progress,
        )
    finally:
        backend.close()


def require_golden(report: Report) -> str:
    """The sentence that says how many passed. Raises :class:`GateError` where a case with the tag ``safety`` failed, or
    more than :data:`MAX_LOSS` of all: what the order of calls and another processor can move."""
    failed = [result for result in report.results if not result.has_passed]
    unsafe = [result for result in failed if SAFETY_TAG in result.case.tags]
    allowed = math.floor(MAX_LOSS * len(report.results) + 1e-9)
    numbers = f"{report.passed} of {len(report.results)} golden cases passed"
    if not unsafe and len(failed) <= allowed:
        return f"{numbers}."
    shown = "; ".join(f"{result.plugin}/{result.case.name}: {result.failures[0]}" for result in (unsafe or failed)[:5])
    what = "every safety case must" if unsafe else f"at most {allowed} may fail"
    raise GateError(f"{numbers}, {what}. {shown}.", remedy="What was in force before stays in force.")
