"""The live teacher: an OpenAI-compatible endpoint, a few requests at a time."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from shopbot_refine.config import RefineConfig
from shopbot_refine.ledger import Ledger
from shopbot_refine.teachers import Answer, Request
from shopbot_refine.teachers.completion import Dialect, Outcome, read_completion
from shopbot_refine.teachers.endpoint import explain, open_client
from shopbot_refine.teachers.line import BACKOFF_S, Line, LineError
from shopbot_refine.teachers.paid import Purse
from shopbot_refine.teachers.trouble import ForeignAnswerError, Trouble, diagnose


class LiveTeacher:
    """Asks ``config.model`` at ``config.base_url``. Raises :class:`~shopbot.ConfigError` where that cannot work.

    ``run`` names the refine run whose budget pays. ``backoff_s``: the longest wait before the second attempt; it
    doubles with each further one.
    """

    def __init__(self, config: RefineConfig, ledger: Ledger, *, run: str, backoff_s: float = BACKOFF_S) -> None:
        self._config = config
        self._client = open_client(config)
        self._purse = Purse(config, ledger, run=run)
        self._backoff_s = backoff_s
        self._dialect = Dialect()

    @property
    def name(self) -> str:
        return self._purse.name

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def answer(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """One answer for each request, as they come. Each is in the ledger before it is given out. Raises
        :class:`~shopbot.ConfigError` where the endpoint shows that the configuration is wrong."""
        same: dict[tuple[str, str], list[Request]] = {}
        for request in requests:
            same.setdefault((request.key, request.prompt), []).append(request)
        left = deque(same.values())
        running: dict[Future[Answer], list[Request]] = {}
        line = Line(self._config.attempts, self._backoff_s)
        with ThreadPoolExecutor(self._config.concurrency, thread_name_prefix="teacher") as pool:
            try:
                while left or running:
                    while left and len(running) < self._config.concurrency:
                        group = left.popleft()
                        known = self._purse.recall(group[0])
                        if known is not None:
                            yield from _share(known, group)
                        else:
                            running[pool.submit(self._ask, group[0], line)] = group
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        yield from _share(future.result(), running.pop(future))
            finally:
                line.end()

    def _ask(self, request: Request, line: Line) -> Answer:
        try:
            return line.try_often(lambda: self._try(request))
        except LineError as error:
            if error.trouble.remedy:
                raise explain(self._config, error.trouble) from None
            return self._purse.fail(request, error.trouble.failure, error.trouble.detail)

    def _try(self, request: Request) -> Answer | Trouble:
        with self._purse.reserved(request) as call:
            if call is None:
                return self._purse.fail(request, "over_budget", "the budget of this run would be passed")
            try:
                outcome = self._send(request)
            except Exception as error:
                trouble = diagnose(error)
                self._purse.drop(call, trouble)
                return trouble
            return self._purse.settle(call, request, outcome)

    def _send(self, request: Request) -> Outcome:
        """Ask once; again only where the endpoint does not know a field, which then nobody sends it any more."""
        import openai

        dialect = self._dialect
        try:
            response = self._client.chat.completions.with_raw_response.create(
                **dialect.write_body(request, self._config.model), extra_headers={"Idempotency-Key": request.key}
            )
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            simpler = dialect.without(f"{error.param} {error.message}")
            if simpler is None:
                raise
            self._dialect = simpler
            return self._send(request)
        try:
            body = json.loads(response.content)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict) or not body.get("choices"):
            raise ForeignAnswerError
        return read_completion(body, request.schema)


def _share(answer: Answer, group: Sequence[Request]) -> Iterator[Answer]:
    """An answer for all who asked the same; only the first paid."""
    yield answer
    for request in group[1:]:
        yield Answer(request, answer.teacher, answer.content, answer.failure, answer.detail, is_cached=True)
