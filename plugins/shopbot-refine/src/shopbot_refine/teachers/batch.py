"""The batch teacher: the OpenAI Batch API, half the price for answers within a day.

A batch is written down before it is uploaded, and found again by its name in the provider's metadata: a process that
dies between any two steps neither loses a batch nor submits one twice. One process at a time works with a ledger.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from shopbot_refine.config import RefineConfig
from shopbot_refine.ledger import Ledger
from shopbot_refine.ledger_rows import Call, OpenBatch
from shopbot_refine.teachers import Answer, Request
from shopbot_refine.teachers.batch_results import TERMINAL, read_results
from shopbot_refine.teachers.completion import Dialect
from shopbot_refine.teachers.endpoint import explain, open_client
from shopbot_refine.teachers.line import BACKOFF_S, Line, LineError
from shopbot_refine.teachers.paid import Purse
from shopbot_refine.teachers.trouble import ForeignAnswerError, Trouble

_log = logging.getLogger(__name__)
#: Requests in one batch; the provider takes 50,000 and 200 MB.
CHUNK = 1000
POLL_S = 15.0
_ENDPOINT = "/v1/chat/completions"
_METADATA = "shopbot_refine"
# How far the provider's clock may lag behind ours when a batch is looked for.
_CLOCK_SLACK_S = 86_400.0
_Asked = tuple[str, str]


class BatchTeacher:
    """Asks ``config.model`` in batches. Raises :class:`~shopbot.ConfigError` where that cannot work.

    ``run`` names the refine run whose budget pays. ``wait_s``: how long ``answer`` waits for batches to finish; what is
    not finished then is ``pending`` and comes with a later ``answer`` for the same requests, also of another process.
    """

    def __init__(
        self,
        config: RefineConfig,
        ledger: Ledger,
        *,
        run: str,
        wait_s: float = 0.0,
        poll_s: float = POLL_S,
        chunk: int = CHUNK,
        backoff_s: float = BACKOFF_S,
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._client = open_client(config)
        self._purse = Purse(config, ledger, run=run, discount=config.batch_discount)
        self._wait_s, self._poll_s, self._chunk, self._backoff_s = wait_s, poll_s, chunk, backoff_s

    @property
    def name(self) -> str:
        return self._purse.name

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def answer(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """One answer for each request: what is there of earlier batches, then of new ones within ``wait_s``."""
        left = list(requests)
        line = Line(self._config.attempts, self._backoff_s)
        stored_before = {_asked(r) for r in left if self._purse.recall(r) is not None}
        failures: dict[_Asked, Trouble] = {}
        self._fetch(line, failures, {_asked(r): r for r in left})
        self._submit(line, failures, left)
        ends_at = time.monotonic() + self._wait_s
        while True:
            still = []
            for request in left:
                answer = self._find(request, failures, is_cached=_asked(request) in stored_before)
                if answer is None:
                    still.append(request)
                else:
                    stored_before.add(_asked(request))
                    yield answer
            left, rest_s = still, ends_at - time.monotonic()
            if not left or rest_s <= 0:
                break
            line.wait(min(self._poll_s, rest_s))
            self._fetch(line, failures, {_asked(r): r for r in left})
        for request in left:
            yield self._purse.fail(request, "pending", "its batch is not finished")

    def _find(self, request: Request, failures: dict[_Asked, Trouble], *, is_cached: bool) -> Answer | None:
        known = self._purse.recall(request, is_cached=is_cached)
        trouble = failures.get(_asked(request))
        if known is None and trouble is not None:
            return self._purse.fail(request, trouble.failure, trouble.detail)
        return known

    def _submit(self, line: Line, failures: dict[_Asked, Trouble], requests: Sequence[Request]) -> None:
        """Put what is neither answered nor under way into new batches."""
        batches = self._ledger.open_batches(self.name)
        under_way = {(call.key, call.prompt) for batch in batches for call in self._ledger.open_calls(batch.name)}
        fresh: dict[str, dict[_Asked, Request]] = {}  # by prompt: within one, a key names a request
        for request in requests:
            asked = _asked(request)
            if asked not in under_way and asked not in failures and self._purse.recall(request) is None:
                fresh.setdefault(request.prompt, {})[asked] = request
        for group in fresh.values():
            rows = list(group.values())
            for start in range(0, len(rows), self._chunk):
                chunk = rows[start : start + self._chunk]
                if line.down is None:
                    self._submit_chunk(line, failures, chunk)
                else:
                    failures.update({_asked(request): line.down for request in chunk})

    def _submit_chunk(self, line: Line, failures: dict[_Asked, Trouble], chunk: Sequence[Request]) -> None:
        name = uuid.uuid4().hex
        paid = self._purse.reserve_batch(chunk, name)
        over = Trouble("over_budget", "the budget of this run would be passed")
        failures.update({_asked(request): over for request in chunk})
        for request in paid:
            del failures[_asked(request)]
        if not paid:
            return
        lines = [
            {
                "custom_id": request.key,
                "method": "POST",
                "url": _ENDPOINT,
                "body": Dialect().write_body(request, self._config.model),
            }
            for request in paid
        ]
        content = "".join(json.dumps(row) + "\n" for row in lines).encode()
        file_id = ""
        try:
            file_id = line.fetch(
                lambda: _id(self._client.files.create(file=(f"{name}.jsonl", content), purpose="batch"))
            )
            self._ledger.name_batch(name, self._create(line, name, file_id))
        except LineError as error:
            # Where the batch may have been created, it stays written down, and is looked for next time.
            if not file_id or not error.trouble.is_transient:
                self._drop(name, error.trouble)
                failures.update({_asked(request): error.trouble for request in paid})
            self._complain(error.trouble)

    def _create(self, line: Line, name: str, file_id: str) -> str:
        """Create the batch and give its id. After an unclear failure, first looks whether it was created."""
        tries = 0

        def create() -> str:
            nonlocal tries
            tries += 1
            found = self._look_up(OpenBatch(name, "", time.time())) if tries > 1 else None
            return found or _id(
                self._client.batches.create(
                    completion_window="24h",
                    endpoint=_ENDPOINT,
                    input_file_id=file_id,
                    metadata={_METADATA: name},
                    extra_headers={"Idempotency-Key": name},
                )
            )

        return line.fetch(create)

    def _fetch(self, line: Line, failures: dict[_Asked, Trouble], asked: dict[_Asked, Request]) -> None:
        """Store the answers of the batches that are finished, and what became of the others' requests."""
        for batch in self._ledger.open_batches(self.name):
            if line.down is not None:
                break
            try:
                self._fetch_batch(line, batch, failures, asked)
            except LineError as error:
                if error.trouble.status == 404:
                    # Deleted at the provider, or of another account; whether it was paid for, nobody knows.
                    lost = Trouble("offline", "the batch is gone", is_paid_perhaps=True)
                    failures.update(self._drop(batch.name, lost))
                else:
                    self._complain(error.trouble)

    def _fetch_batch(
        self, line: Line, batch: OpenBatch, failures: dict[_Asked, Trouble], asked: dict[_Asked, Request]
    ) -> None:
        batch_id = batch.id or line.fetch(lambda: self._look_up(batch))
        if batch_id is None:
            # It was written down, but never submitted: its requests are asked anew.
            self._drop(batch.name, Trouble("offline", "not submitted"))
            return
        if not batch.id:
            self._ledger.name_batch(batch.name, batch_id)
        state = line.fetch(lambda: _made(self._client.batches.retrieve(batch_id)))
        if state.status not in TERMINAL:
            return
        ids = [file for file in (state.output_file_id, state.error_file_id) if file]
        files = [line.fetch(partial(self._read_file, file)) for file in ids]
        calls = {call.key: call for call in self._ledger.open_calls(batch.name)}
        schemas = {key: one.schema for key, call in calls.items() if (one := asked.get((key, call.prompt)))}
        results = read_results(state, files, calls.keys(), schemas)
        answered = {calls[key]: outcome for key, outcome in results.outcomes.items()}
        self._ledger.settle({c.id: self._purse.price(outcome, c.tokens, c.micros) for c, outcome in answered.items()})
        failures.update(self._close(batch.name, [(calls[key], t) for key, t in results.troubles.items()]))
        self._delete_files([*ids, state.input_file_id])

    def _delete_files(self, ids: Sequence[str]) -> None:
        """What the answers came from need not lie at the provider; where it cannot be deleted, the run goes on."""
        for file in ids:
            try:
                self._client.files.delete(file)
            except Exception as error:  # also what is no answer of this API: the answers are safe
                _log.info("a file of a batch stays at the provider: %s", type(error).__name__)

    def _read_file(self, file: str) -> bytes:
        return bytes(self._client.files.content(file).content)

    def _look_up(self, batch: OpenBatch) -> str | None:
        """The provider's id of a batch that was submitted under this name; None: there is none."""
        for found in self._client.batches.list(limit=100):
            if (found.metadata or {}).get(_METADATA) == batch.name:
                return str(found.id)
            if (found.created_at or batch.planned_at) < batch.planned_at - _CLOCK_SLACK_S:
                break
        return None

    def _drop(self, name: str, trouble: Trouble) -> dict[_Asked, Trouble]:
        """Give up a batch; the trouble of each request that it would have answered."""
        return self._close(name, [(call, trouble) for call in self._ledger.open_calls(name)])

    def _close(self, name: str, failed: Sequence[tuple[Call, Trouble]]) -> dict[_Asked, Trouble]:
        self._ledger.fail({call.id: (trouble.detail, trouble.is_paid_perhaps) for call, trouble in failed})
        self._ledger.close_batch(name)
        return {(call.key, call.prompt): trouble for call, trouble in failed}

    def _complain(self, trouble: Trouble) -> None:
        if trouble.remedy:
            raise explain(self._config, trouble)


def _made(thing: Any) -> Any:
    """What the provider has made, if it has an id as it must."""
    if not isinstance(getattr(thing, "id", None), str):
        raise ForeignAnswerError
    return thing


def _id(thing: Any) -> str:
    return str(_made(thing).id)


def _asked(request: Request) -> _Asked:
    return request.key, request.prompt
