"""What every paid teacher goes through: the answers that were paid for, the cap that is checked before sending."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import ROUND_CEILING, Decimal

from shopbot_refine.config import RefineConfig
from shopbot_refine.ledger import Ledger
from shopbot_refine.ledger_rows import MICROS, Cap, StoredAnswer, Want
from shopbot_refine.teachers import Answer, Failure, Request
from shopbot_refine.teachers.completion import Outcome
from shopbot_refine.teachers.endpoint import host_of
from shopbot_refine.teachers.trouble import Trouble

#: What chat templates and the schema's wrapping add to a request.
_OVERHEAD_TOKENS = 64


class Purse:
    """The money of one refine run with one model. Thread-safe.

    ``name`` is the model at its host: the same answers serve a live and a batch teacher, but not another endpoint.
    ``discount``: the share that the provider takes off.
    """

    def __init__(self, config: RefineConfig, ledger: Ledger, *, run: str, discount: float = 0.0) -> None:
        self.name = f"{config.model}@{host_of(config)}"
        self.ledger = ledger
        factor = 1 - Decimal(str(discount))
        # A price per million tokens is micro-units per token.
        self._prices = Decimal(str(config.input_price)) * factor, Decimal(str(config.output_price)) * factor
        self._cap = Cap(run, int(Decimal(str(config.budget)) * MICROS), config.budget_tokens)
        self._changed = threading.Condition()
        self._wants: dict[int | None, Want] = {}
        self._scale = Decimal(1)

    def recall(self, request: Request, *, is_cached: bool = True) -> Answer | None:
        """The stored answer, be it good or not. ``is_cached`` False: it was paid for just now, and is to say so."""
        found = self.ledger.find_answer(request, self.name)
        return None if found is None else self._give(request, found, is_cached=is_cached)

    def _give(self, request: Request, stored: StoredAnswer, *, is_cached: bool) -> Answer:
        content = "" if stored.failure else stored.content
        usage = (0, 0, 0.0) if is_cached else (stored.input_tokens, stored.output_tokens, stored.micros / MICROS)
        return Answer(request, self.name, content, stored.failure, stored.detail, *usage, is_cached=is_cached)

    def fail(self, request: Request, failure: Failure, detail: str = "") -> Answer:
        """The answer that says that there is none."""
        return Answer(request, self.name, failure=failure, detail=detail)

    @contextmanager
    def reserved(self, request: Request) -> Iterator[int | None]:
        """Money set aside for one call, under the call's number; None: it could pass the cap.

        While calls are out that may give money back, waits for them rather than say so too early. The call is settled
        or dropped within the block; if neither, it stays ``sent`` and counts.
        """
        call = self._reserve(request)
        try:
            yield call
        finally:
            with self._changed:
                self._wants.pop(call, None)
                self._changed.notify_all()

    def _reserve(self, request: Request) -> int | None:
        with self._changed:
            while True:
                want = self._estimate(request)
                call = self.ledger.reserve([want], self.name, self._cap)[0]
                if call is not None:
                    self._wants[call] = want
                    return call
                if not self._wants:
                    return None
                self._changed.wait()

    def reserve_batch(self, requests: Sequence[Request], batch: str) -> list[Request]:
        """Set the money for a batch aside and write the batch down; those of its requests that fit, in their order."""
        wants = [self._estimate(request) for request in requests]
        calls = self.ledger.reserve(wants, self.name, self._cap, batch=batch)
        return [request for request, call in zip(requests, calls, strict=True) if call is not None]

    def settle(self, call: int, request: Request, outcome: Outcome) -> Answer:
        """Store an answer with its cost, before anybody sees it."""
        want = self._wants[call]
        stored = self.price(outcome, want.tokens, want.micros)
        self.ledger.settle({call: stored})
        if outcome.input_tokens is not None:
            # A tokenizer that cuts finer than was thought raises the estimates to come.
            self._scale = max(self._scale, Decimal(outcome.input_tokens) / _most_input_tokens(request))
        return self._give(request, stored, is_cached=False)

    def price(self, outcome: Outcome, tokens: int, micros: int) -> StoredAnswer:
        """The outcome with its cost; where the endpoint does not tell what it used, that is what was set aside
        (``tokens``, all taken for input, and ``micros``)."""
        used_in, used_out = outcome.input_tokens, outcome.output_tokens
        if used_in is None or used_out is None:
            used_in, used_out = tokens, 0
        else:
            micros = self._cost(used_in, used_out)
        return StoredAnswer(outcome.content, outcome.failure, outcome.detail, used_in, used_out, micros)

    def drop(self, call: int, trouble: Trouble) -> None:
        """Write down that a call has no answer."""
        self.ledger.fail({call: (trouble.detail, trouble.is_paid_perhaps)})

    def _estimate(self, request: Request) -> Want:
        used_in = int((_most_input_tokens(request) * self._scale).to_integral_value(ROUND_CEILING))
        most_out = request.max_output_tokens
        return Want(request, used_in + most_out, self._cost(used_in, most_out))

    def _cost(self, input_tokens: int, output_tokens: int) -> int:
        cost = input_tokens * self._prices[0] + output_tokens * self._prices[1]
        return int(cost.to_integral_value(ROUND_CEILING))


def _most_input_tokens(request: Request) -> int:
    """An upper estimate. No byte makes more than one token: so many for the customer's words, which may be chosen to
    cost. The prompt and the schema are the operator's own, where three bytes a token is already fine cutting."""
    own = len(request.system.encode("utf-8", "surrogatepass")) + len(json.dumps(request.schema))
    return -(-own // 3) + len(request.user.encode("utf-8", "surrogatepass")) + _OVERHEAD_TOKENS
