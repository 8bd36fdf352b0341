"""What a finished batch holds: its output and error files, line by line, whatever stands in them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shopbot_refine.teachers.completion import Outcome, read_completion
from shopbot_refine.teachers.trouble import Trouble, judge_status

#: The states that a batch does not leave again.
TERMINAL = ("completed", "expired", "cancelled", "failed")


@dataclass(frozen=True, slots=True)
class BatchResults:
    """By request: what was answered, and why the others were not."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    troubles: dict[str, Trouble] = field(default_factory=dict)


def read_results(
    batch: Any, files: Iterable[bytes], keys: Collection[str], schemas: Mapping[str, dict[str, Any]]
) -> BatchResults:
    """What became of each of ``keys`` in ``batch`` (an ``openai.types.Batch``), by its ``files``.

    Lines that cannot be read or name another request are passed over; so are answers given twice. Without a schema, an
    answer is only checked to be JSON.
    """
    results = BatchResults()
    for row in _rows(files):
        key: str = row["custom_id"]
        if key not in keys or key in results.outcomes or key in results.troubles:
            continue
        response = row.get("response")
        response = response if isinstance(response, dict) else {}
        body, status = response.get("body"), response.get("status_code")
        if status == 200 and isinstance(body, dict) and body.get("choices"):
            results.outcomes[key] = read_completion(body, schemas.get(key))
        elif status == 200:
            results.troubles[key] = Trouble("malformed", "not what the API answers", is_paid_perhaps=True)
        else:
            results.troubles[key] = _judge_line(row.get("error") or (body or {}), status)
    for key in keys:
        if key not in results.outcomes and key not in results.troubles:
            results.troubles[key] = _judge_batch(batch)
    return results


def _judge_line(error: object, status: object) -> Trouble:
    error = error.get("error", error) if isinstance(error, dict) else {}
    code = str(error.get("code") or "") if isinstance(error, dict) else ""
    if code in ("batch_expired", "batch_cancelled"):
        return Trouble("offline", code)
    return judge_status(status if isinstance(status, int) else 500, code)


def _judge_batch(batch: Any) -> Trouble:
    """Why a request has no line at all in the files of its batch."""
    if batch.status == "completed":
        return Trouble("malformed", "no line in the finished batch", is_paid_perhaps=True)
    if batch.status != "failed":
        return Trouble("offline", f"the batch is {batch.status}")
    errors = (batch.errors.data if batch.errors else None) or []
    code = str(errors[0].code) if errors else ""
    trouble = judge_status(400, code)
    # A queue that is full today takes the batch tomorrow; a batch that is wrong stays wrong.
    return Trouble("offline", trouble.detail) if code == "token_limit_exceeded" else trouble


def _rows(files: Iterable[bytes]) -> Iterable[dict[str, Any]]:
    for content in files:
        for line in content.decode("utf-8", "replace").split("\n"):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict) and isinstance(row.get("custom_id"), str):
                yield row
