"""Golden cases and their judge: play a conversation on a fresh store, replay the expected writes on another, compare
the end states.

One judge for tests, ``shopbot eval``, refine's gate and the benchmarks. A case that cannot be replayed is an error in
the case and fails.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli

from shopbot.binding import values
from shopbot.errors import ConfigError
from shopbot.session import Frame
from shopbot.store import Store, Unit
from shopbot.tools import Context, Tool
from shopbot.types import Reply

if TYPE_CHECKING:
    from shopbot.backends import ModelBackend
    from shopbot.checkpoint import Manifest
    from shopbot.config import Config
    from shopbot.plugins import PluginManager
    from shopbot.stores.sql import SqlStore

#: The shop's date in every case, and the seed of the demo store that cases are written for.
CASE_DAY = date(2026, 6, 15)
CASE_SEED = 7


@dataclass(frozen=True, slots=True)
class CaseTurn:
    """One message and what must be true of its reply; None: anything goes."""

    say: str
    awaiting: str | None = None
    tools: tuple[str, ...] | None = None
    says: tuple[str, ...] = ()
    never_says: tuple[str, ...] = ()
    handoff: bool | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A conversation and the end state it must lead to; see docs/plugins.md for the file form.

    ``customer``: e-mail of a customer who is signed in already. ``writes``: the writes that must have happened, and
    no others, as ``{"tool": …, slot: id, …}``.
    """

    name: str
    turns: tuple[CaseTurn, ...]
    customer: str | None = None
    writes: tuple[Mapping[str, Any], ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case went. ``failures`` is empty if it passed; ``transcript`` is for reading."""

    plugin: str
    case: Case
    failures: tuple[str, ...]
    transcript: str

    @property
    def has_passed(self) -> bool:
        return not self.failures


@dataclass(frozen=True, slots=True)
class Report:
    """All results of a run."""

    results: tuple[CaseResult, ...] = field(default=())

    @property
    def passed(self) -> int:
        return sum(result.has_passed for result in self.results)

    @property
    def rate(self) -> float:
        return self.passed / len(self.results) if self.results else 0.0

    def by_plugin(self) -> dict[str, tuple[int, int]]:
        """Plugin → (passed, all)."""
        counts: dict[str, tuple[int, int]] = {}
        for result in self.results:
            passed, total = counts.get(result.plugin, (0, 0))
            counts[result.plugin] = passed + result.has_passed, total + 1
        return counts

    def as_json(self) -> dict[str, Any]:
        low, high = wilson(self.passed, len(self.results))
        return {
            "cases": len(self.results),
            "passed": self.passed,
            "rate": round(self.rate, 4),
            "interval_95": [round(low, 4), round(high, 4)],
            "plugins": {name: {"passed": good, "cases": total} for name, (good, total) in self.by_plugin().items()},
            "failed": [
                {"plugin": result.plugin, "case": result.case.name, "why": list(result.failures)}
                for result in self.results
                if not result.has_passed
            ],
        }


def wilson(passed: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson score interval of a share (95 % by default)."""
    if total == 0:
        return 0.0, 1.0
    share = passed / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return max(0.0, centre - half), min(1.0, centre + half)


def load_cases(path: Path | str) -> list[Case]:
    """Read a ``cases.toml``. :class:`~shopbot.errors.ConfigError` names the file and the case that is malformed."""
    file = Path(path)
    try:
        document = tomli.loads(file.read_text(encoding="utf-8"))
        return [_case(raw) for raw in document["case"]]
    except (OSError, tomli.TOMLDecodeError, KeyError, TypeError) as error:
        raise ConfigError(f"{file}: {type(error).__name__}: {error}") from None


def _case(raw: Mapping[str, Any]) -> Case:
    return Case(
        name=raw["name"],
        turns=tuple(_case_turn(turn) for turn in raw["turn"]),
        customer=raw.get("customer"),
        writes=tuple(raw.get("writes", ())),
        tags=tuple(raw.get("tags", ())),
    )


def _case_turn(raw: Mapping[str, Any]) -> CaseTurn:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
    return CaseTurn(**fields)


@contextmanager
def demo_stores(*, seed: int = CASE_SEED, today: date = CASE_DAY) -> Iterator[Callable[[], SqlStore]]:
    """A maker of fresh demo stores, each a copy of one that is filled once. The copies are deleted at the end."""
    from shopbot.stores.demo import fill_demo
    from shopbot.stores.sql import open_store

    with tempfile.TemporaryDirectory(prefix="shopbot-cases-", ignore_cleanup_errors=True) as folder:
        template = Path(folder) / "template.db"
        filled = open_store(f"sqlite:///{template}")
        fill_demo(filled, seed=seed, today=today)
        filled.close()
        opened: list[SqlStore] = []

        def make() -> SqlStore:
            path = Path(folder) / f"case-{len(opened)}.db"
            shutil.copyfile(template, path)
            opened.append(open_store(f"sqlite:///{path}"))
            return opened[-1]

        try:
            yield make
        finally:
            for store in opened:
                store.close()


def run_cases(
    cases: Sequence[tuple[str, Case]],
    *,
    config: Config,
    plugins: PluginManager,
    backend: ModelBackend,
    manifest: Manifest | None,
    progress: Callable[[CaseResult], None] = lambda result: None,
) -> Report:
    """Judge every (plugin, case) on its own fresh demo store."""
    results = []
    with demo_stores() as make_store:
        untouched = snapshot(make_store())
        for plugin, case in cases:
            result = judge(
                plugin,
                case,
                make_store,
                config=config,
                plugins=plugins,
                backend=backend,
                manifest=manifest,
                untouched=untouched,
            )
            progress(result)
            results.append(result)
    return Report(tuple(results))


def judge(
    plugin: str,
    case: Case,
    make_store: Callable[[], Store],
    *,
    config: Config,
    plugins: PluginManager,
    backend: ModelBackend,
    manifest: Manifest | None,
    today: date = CASE_DAY,
    untouched: Mapping[str, Any] | None = None,
) -> CaseResult:
    """Play one case and compare what it left behind with the expected writes.

    ``untouched``: the snapshot of a fresh store, where it is known already; a case without writes needs no other.
    """
    from shopbot.bot import Bot

    played = make_store()
    expected = make_store() if case.writes or untouched is None else None
    failures: list[str] = []
    lines: list[str] = []
    try:
        bot = Bot(config=config, store=played, plugins=plugins, backend=backend, manifest=manifest, today=lambda: today)
        session_id = _session(bot, case, failures)
        for number, turn in enumerate(case.turns, 1):
            reply = bot.ask(session_id, turn.say)
            lines += [f"customer: {turn.say}", f"  acts: {'; '.join(map(str, reply.acts))}", f"bot: {reply.text}"]
            failures += [f"turn {number}: {problem}" for problem in _compare_turn(turn, reply)]
        for write in case.writes:
            assert expected is not None
            replay(
                expected,
                bot.tools,
                write,
                customer=_actor(expected, case, write),
                config=config,
                owner=plugins.owner,
                today=today,
            )
        failures += _differences(snapshot(expected) if expected else untouched or {}, snapshot(played))
    except Exception as error:
        failures.append(f"{type(error).__name__}: {error}")
    finally:
        played.close()
        if expected is not None:
            expected.close()
    return CaseResult(plugin, case, tuple(failures), "\n".join(lines))


def replay(
    store: Store,
    tools: Mapping[str, Tool],
    write: Mapping[str, Any],
    *,
    customer: str,
    config: Config,
    owner: Callable[[str], str | None],
    today: date,
) -> None:
    """Do one expected write by ids, policy included; raises if the policy refuses it."""
    tool = tools[write["tool"]]
    frame = Frame(tool.name, bound={slot: value for slot, value in write.items() if slot != "tool"})
    table = config.plugins.get(owner(tool.name) or "", {})
    outside = Context(store, table, "", today, "expected", store.customer(customer))
    for parameter in tool.parameters:
        default = parameter.slot.default
        if parameter.name not in frame.bound and default is not None:
            value = default(outside, values(frame, tool, outside))
            frame.bound[parameter.name] = getattr(value, "id", value)

    def action(unit: Unit) -> Mapping[str, Any]:
        inside = Context(store, table, "", today, "expected", unit.customer(customer), unit, frame.call_id)
        arguments = values(frame, tool, inside)
        refusal = tool.policy(inside, **arguments) if tool.policy else None
        if refusal is not None:
            raise ConfigError(f"The case expects {dict(write)}, which the policy refuses: {refusal.text}")
        answer = tool.function(inside, **arguments)
        return {"text": answer.text, "content": {}, "shown": []}

    store.execute(
        frame.call_id, session_id="expected", customer_id=customer, tool=tool.name, arguments={}, action=action
    )


def snapshot(store: Store) -> dict[str, Any]:
    """Customers and orders as one document, for comparing end states."""
    from shopbot.stores.retail_json import export_retail
    from shopbot.stores.sql import SqlStore

    assert isinstance(store, SqlStore), "cases are played on SQL stores"
    return export_retail(store)


def _session(bot: Any, case: Case, failures: list[str]) -> str:
    session = bot.session()
    if case.customer:
        customer = bot.store.customer_by_email(case.customer)
        if customer is None:
            failures.append(f"the demo store has no customer {case.customer}")
        else:
            bot.identify(session.id, customer.id)
    return str(session.id)


def _actor(store: Store, case: Case, write: Mapping[str, Any]) -> str:
    """Whose write it is: the order's customer, else the one who is signed in."""
    order = store.order(write["order"]) if "order" in write else None
    if order is not None:
        return order.customer_id
    email = write.get("customer") or case.customer
    customer = store.customer_by_email(email) if email else None
    if customer is None:
        raise ConfigError(f"The case '{case.name}' does not say whose write {dict(write)} is.")
    return customer.id


def _compare_turn(turn: CaseTurn, reply: Reply) -> list[str]:
    problems = []
    awaiting = reply.awaiting
    asked = "none" if awaiting is None else f"slot:{awaiting.slot}" if awaiting.kind == "slot" else awaiting.kind
    if turn.awaiting is not None and turn.awaiting not in (asked, asked.partition(":")[0]):
        problems.append(f"awaiting is {asked}, not {turn.awaiting}")
    ran = tuple(call.tool for call in reply.tool_calls if call.error is None)
    if turn.tools is not None and ran != turn.tools:
        problems.append(f"tools {list(ran)} ran, not {list(turn.tools)}")
    text = reply.text.casefold()
    problems += [f"the reply lacks '{part}'" for part in turn.says if part.casefold() not in text]
    problems += [f"the reply has '{part}'" for part in turn.never_says if part.casefold() in text]
    if turn.handoff is not None and turn.handoff != (reply.handoff is not None):
        problems.append("handed off" if reply.handoff else "not handed off")
    return problems


def _differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterable[str]:
    """Where two snapshots differ, as short paths with the fields that differ."""
    return [
        f"{table}.{key}: {_difference(expected[table].get(key), found[table].get(key))}"
        for table in ("users", "orders")
        for key in sorted({*expected[table], *found[table]})
        if expected[table].get(key) != found[table].get(key)
    ]


def _difference(expected: Any, found: Any) -> str:
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        fields = [key for key in sorted({*expected, *found}) if expected.get(key) != found.get(key)]
        expected, found = ({key: record.get(key) for key in fields} for record in (expected, found))
    return f"{repr(expected)[:300]} expected, {repr(found)[:300]} found"
