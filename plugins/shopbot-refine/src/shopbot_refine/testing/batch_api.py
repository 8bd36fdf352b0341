"""The Batch API on loopback: files and batches beside the chat completions, over the same function that answers."""

from __future__ import annotations

import email.message
import email.parser
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from shopbot_refine.testing.teacher_server import Mishap, Reply, TeacherServer

_ENDPOINT = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """How a batch goes: after ``polls`` looks at it, it ``ends``; expired and cancelled ones have answered ``answered``
    requests until then (None: all). ``failed``: it does not pass the check before the work, with the error ``code``."""

    polls: int = 0
    ends: Literal["completed", "expired", "cancelled", "failed"] = "completed"
    answered: int | None = None
    code: str = "invalid_json_line"


class BatchAPI(TeacherServer):
    """Serves files and batches. ``plans``: for the batches in the order they are created; further ones just complete.

    A batch that asks for what the API does not take (a line that is no JSON, a custom id given twice, another method,
    address or model) fails, as there. ``batches`` holds what was made, in its order, ``made`` the
    content of all files ever, ``files`` those that were not deleted again.
    """

    def __init__(
        self,
        reply: Reply,
        mishaps: Iterable[Mishap | None] = (),
        *,
        plans: Iterable[BatchPlan] = (),
        **settings: Any,
    ) -> None:
        super().__init__(reply, mishaps, **settings)
        self._plans = iter(plans)
        self._running: dict[str, BatchPlan] = {}
        self._looks: dict[str, int] = {}
        self.made: list[bytes] = []
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}

    def serve(self, method: str, path: str, content_type: str, body: bytes) -> tuple[int, dict[str, Any] | bytes]:
        url = urlsplit(path)
        parts = url.path.removeprefix("/v1/").split("/")
        match method, parts:
            case "POST", ["files"]:
                return 200, self._file(_uploaded(content_type, body))
            case "GET", ["files", name, "content"] if name in self.files:
                return 200, self.files[name]
            case "POST", ["batches"]:
                return self._create(json.loads(body))
            case "DELETE", ["files", name] if name in self.files:
                del self.files[name]
                return 200, {"id": name, "object": "file", "deleted": True}
            case "GET", ["batches"]:
                return 200, self._page(parse_qs(url.query))
            case "GET", ["batches", name] if name in self.batches:
                return 200, self._look(name)
            case _:
                return super().serve(method, path, content_type, body)

    def _file(self, content: bytes) -> dict[str, Any]:
        self.made.append(content)
        name = f"file-{len(self.made)}"
        self.files[name] = content
        about = {"id": name, "object": "file", "bytes": len(content), "created_at": 0, "filename": f"{name}.jsonl"}
        return {**about, "purpose": "batch", "status": "processed"}

    def _create(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if asked.get("input_file_id") not in self.files or asked.get("endpoint") != _ENDPOINT:
            return 400, {"error": {"message": "No such file or endpoint.", "code": "invalid_request", "param": None}}
        name = f"batch_{len(self.batches) + 1}"
        self._running[name] = next(self._plans, BatchPlan())
        self._looks[name] = 0
        self.batches[name] = {
            "id": name,
            "object": "batch",
            "endpoint": _ENDPOINT,
            "errors": None,
            "input_file_id": asked["input_file_id"],
            "completion_window": asked["completion_window"],
            "status": "validating",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": 4_000_000_000 + len(self.batches),
            "metadata": asked.get("metadata"),
        }
        return 200, self.batches[name]

    def _page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """The newest first, as there."""
        names = list(self.batches)[::-1]
        if "after" in query:
            names = names[names.index(query["after"][0]) + 1 :]
        limit = int(query.get("limit", ["20"])[0])
        shown = names[:limit]
        rows = [self.batches[name] for name in shown]
        ends = {"first_id": shown[0], "last_id": shown[-1]} if shown else {}
        return {"object": "list", "data": rows, **ends, "has_more": len(names) > limit}

    def _look(self, name: str) -> dict[str, Any]:
        batch, plan = self.batches[name], self._running.get(name)
        if plan is None:
            return batch
        self._looks[name] += 1
        if self._looks[name] <= plan.polls:
            batch["status"] = "in_progress"
        else:
            del self._running[name]
            self._end(batch, plan)
        return batch

    def _end(self, batch: dict[str, Any], plan: BatchPlan) -> None:
        lines = self.files[batch["input_file_id"]].decode().splitlines()
        fault = plan.code if plan.ends == "failed" else _fault(lines)
        if fault:
            batch["status"] = "failed"
            batch["errors"] = {"object": "list", "data": [{"code": fault, "message": "No.", "line": 1, "param": None}]}
            return
        good: list[dict[str, Any]] = []
        bad: list[dict[str, Any]] = []
        for number, row in enumerate(map(json.loads, lines)):
            line: dict[str, Any] = {"id": f"batch_req_{number}", "custom_id": row["custom_id"], "error": None}
            if plan.answered is not None and number >= plan.answered:
                error = {"code": f"batch_{plan.ends}", "message": "It was not executed in time."}
                bad.append({**line, "response": None, "error": error})
                continue
            status, body = self.complete(row["body"])
            line["response"] = {"status_code": status, "request_id": f"req_{number}", "body": body}
            (good if status == 200 else bad).append(line)
        for rows, field in ((good, "output_file_id"), (bad, "error_file_id")):
            if rows:
                batch[field] = self._file("".join(json.dumps(row) + "\n" for row in rows).encode())["id"]
        batch["status"] = plan.ends


def _fault(lines: list[str]) -> str:
    """The code of the first thing that the API does not take; "" where it takes all."""
    seen: set[str] = set()
    models: set[str] = set()
    for line in lines:
        try:
            row = json.loads(line)
            is_right = (row["method"], row["url"]) == ("POST", _ENDPOINT) and isinstance(row["custom_id"], str)
            models.add(row["body"]["model"])
        except (ValueError, KeyError, TypeError):
            return "invalid_json_line"
        if not is_right:
            return "invalid_url"
        if row["custom_id"] in seen:
            return "duplicate_custom_id"
        seen.add(row["custom_id"])
    if not lines:
        return "empty_file"
    return "mismatched_model" if len(models) > 1 else ""


def _uploaded(content_type: str, body: bytes) -> bytes:
    """The file of a multipart form whose purpose is "batch"."""
    whole = email.parser.BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    parts: dict[str, Any] = {}
    for part in whole.walk():
        name = part.get_param("name", header="content-disposition")
        if isinstance(part, email.message.Message) and isinstance(name, str):
            parts[name] = part.get_payload(decode=True)
    if parts.get("purpose") != b"batch":
        raise ValueError("the purpose of the file is not batch")
    return bytes(parts["file"])
