"""A client's own functions: how often the model on this box calls the right one, with and without example messages.

    python -m benchmarks.functions.run

What ``/v1/chat/completions`` does with ``tools``, without HTTP. A message counts as right with its arguments if every
argument that it names has the right value.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import tomli

from benchmarks.setup import open_model
from shopbot.evals import wilson
from shopbot.server.completions.bodies import ChatRequest
from shopbot.server.completions.functions import Functions
from shopbot.understand import Understanding

CASES = tomli.loads(Path(__file__).with_name("cases.toml").read_text(encoding="utf-8"))


def request(say: str, *, has_examples: bool) -> ChatRequest:
    """The request of a client that offers all functions."""
    tools = [
        {
            "type": "function",
            "function": {
                "name": one["name"],
                "description": one["description"],
                "examples": one["examples"] if has_examples else [],
                "parameters": {"type": "object", "properties": one["properties"], "required": one["required"]},
            },
        }
        for one in CASES["functions"]
    ]
    body = {"model": "shopbot", "messages": [{"role": "user", "content": say}], "tools": tools}
    return ChatRequest.model_validate(body)


def judge(case: dict[str, Any], calls: list[dict[str, Any]]) -> tuple[bool, bool]:
    """Whether the right function was called, or none where none is meant, and whether with the right arguments."""
    if not calls:
        return "calls" not in case, "calls" not in case
    function = calls[0]["function"]
    given = json.loads(function["arguments"])
    is_right = len(calls) == 1 and function["name"] == case.get("calls")
    return is_right, is_right and all(given.get(key) == value for key, value in case["with"].items())


def main() -> None:
    backend, manifest = open_model()
    assert manifest is not None
    for has_examples in (False, True):
        judged, spent_ms = [], []
        for case in CASES["messages"]:
            functions = Functions(request(case["say"], has_examples=has_examples))
            started = perf_counter()
            understanding = Understanding(backend, functions.tools, trained=manifest.tools, bias=manifest.bias)
            acts = understanding(case["say"], "-").acts
            spent_ms.append(1e3 * (perf_counter() - started))
            judged.append(judge(case, functions.calls(acts)))
        print(
            f"{'description and examples' if has_examples else 'description alone'}: median {median(spent_ms):.0f} ms"
        )
        for what, place in (("right function", 0), ("with right arguments", 1)):
            right = sum(one[place] for one in judged)
            low, high = wilson(right, len(judged))
            print(f"  {what}: {right} of {len(judged)} ({low:.0%} to {high:.0%})")
    backend.close()


if __name__ == "__main__":
    main()
