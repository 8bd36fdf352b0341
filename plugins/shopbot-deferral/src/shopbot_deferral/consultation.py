"""A question to the endpoint, kept within its time, its money and what the endpoint's health allows.

The call is made in a thread of its own: whatever hangs, a name lookup for instance, the customer's turn goes on when
its time is up.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from decimal import ROUND_CEILING, Decimal
from time import monotonic

from shopbot import ConfigError, Opinion, Question, ShopbotError
from shopbot_deferral.breaker import Breaker
from shopbot_deferral.endpoint import Answer, Endpoint, Trouble
from shopbot_deferral.ledger import MICROS, Ledger, ledger_file
from shopbot_deferral.prompt import messages
from shopbot_deferral.settings import Settings

#: What chat templates add to the messages, in tokens.
_OVERHEAD_TOKENS = 64
_FENCE = re.compile(r"\A```\w*\n(.*?)\n?```\Z", re.DOTALL)
_log = logging.getLogger(__name__)


def open_consultation(settings: Settings) -> Consultation:
    """Ready to ask. Raises :class:`ConfigError` where there is no way to ask, or no ledger to keep the cap with."""
    is_offline = os.environ.get("SHOPBOT_OFFLINE", "").lower() not in ("", "0", "false")
    if is_offline and not settings.is_here:
        raise ConfigError("SHOPBOT_OFFLINE forbids the cloud model.", remedy="Unset it, or switch deferral off.")
    return Consultation(settings, Ledger(ledger_file()))


class Consultation:
    """The plugin's :class:`shopbot.CloudModel`. Closes ``ledger``. ``clock`` is the breaker's, in seconds."""

    def __init__(self, settings: Settings, ledger: Ledger, clock: Callable[[], float] = monotonic) -> None:
        self._settings, self._ledger = settings, ledger
        self._endpoint = Endpoint(settings)
        self._breaker = Breaker(settings.breaker_failures, settings.breaker_pause_s, clock)
        self._places = threading.BoundedSemaphore(settings.at_once)
        self._input_price = Decimal(str(settings.input_price))
        self._output_price = Decimal(str(settings.output_price))

    def ask(self, question: Question) -> Opinion:
        """See :meth:`shopbot.CloudModel.ask`. Raises :class:`LedgerError` where the ledger fails."""
        deadline = monotonic() + self._settings.time_budget_s
        if not self._places.acquire(blocking=False):
            return Opinion(failure="busy")
        if not self._breaker.enter():
            self._places.release()
            return Opinion(failure="breaker_open")
        answer: Future[Answer] = Future()
        caller = threading.Thread(target=self._call, args=(question, deadline, answer), daemon=True)
        try:
            caller.start()
        except RuntimeError:  # there are too many threads
            self._breaker.leave()
            self._places.release()
            return Opinion(failure="busy")
        wait([answer], timeout=deadline - monotonic())
        return self._take(answer)

    def close(self) -> None:
        """Ask nothing more; a call under way keeps counting in the ledger."""
        self._endpoint.close()
        self._ledger.close()

    def _take(self, answer: Future[Answer]) -> Opinion:
        """What came in time, and what that says of the endpoint."""
        if not answer.done():
            self._breaker.fail()
            return Opinion(failure="timed_out")
        error = answer.exception()
        if error is None:
            self._breaker.succeed()
            return Opinion(_unfenced(answer.result().content))
        if not isinstance(error, Trouble):
            _log.warning("the cloud model was not asked: %s", error if isinstance(error, ShopbotError) else type(error))
            self._breaker.leave()
            raise error
        if error.failure == "over_budget":
            self._breaker.leave()
        elif error.failure == "refused":
            self._breaker.succeed()
        else:
            _log.warning("the cloud model did not answer: %s (%s)", error.failure, error.note)
            self._breaker.fail(error.pause_s)
        return Opinion(failure=error.failure)

    def _call(self, question: Question, deadline: float, answer: Future[Answer]) -> None:
        try:
            answer.set_result(self._paid(messages(question), deadline))
        except BaseException as error:  # it belongs to the turn that waits, if one still does
            answer.set_exception(error)
        finally:
            self._places.release()

    def _paid(self, asked: list[dict[str, str]], deadline: float) -> Answer:
        """Ask, with the most that it can cost set aside before, and what it did cost written down after."""
        settings = self._settings
        # no byte makes more than one token
        most_in = len(json.dumps(asked, ensure_ascii=False).encode("utf-8", "replace")) + _OVERHEAD_TOKENS
        most_out = settings.max_output_tokens
        call = self._ledger.reserve(
            settings.model,
            self._micros(most_in, most_out),
            most_in + most_out,
            cap_micros=int(Decimal(str(settings.budget)) * MICROS),
            cap_tokens=settings.budget_tokens,
        )
        if call is None:
            raise Trouble("over_budget", "the month's budget is spent")
        try:
            answer = self._endpoint.complete(asked, deadline)
        except Trouble as trouble:
            if trouble.usage is not None:
                self._settle(call, trouble.usage)
            else:
                self._ledger.fail(call, trouble.note, is_paid_perhaps=trouble.is_paid_perhaps)
            raise
        self._settle(call, answer.usage or (most_in, most_out))
        return answer

    def _settle(self, call: int, usage: tuple[int, int]) -> None:
        self._ledger.settle(call, self._micros(*usage), sum(usage))

    def _micros(self, tokens_in: int, tokens_out: int) -> int:
        # a price per million tokens is micro-units per token
        cost = tokens_in * self._input_price + tokens_out * self._output_price
        return int(cost.to_integral_value(ROUND_CEILING))


def _unfenced(content: str) -> str:
    """The acts without a code fence around them and without blank lines."""
    found = _FENCE.match(content.strip())
    lines = (found[1] if found else content).splitlines()
    return "\n".join(line.strip() for line in lines if line.strip())
