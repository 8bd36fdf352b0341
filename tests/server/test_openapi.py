"""The OpenAPI description tells the truth: what it allows is answered as it says, and what it forbids is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from shopbot.keys import hash_key

from .conftest import Visitor, serving

#: A customer token may be well formed and no good; a wrong key gets 404, as a session does that is not there.
BY_DESIGN = [positive_data_acceptance, ignored_auth]
#: What speaks another API's language (/v1/chat/completions) answers as that one does.
OURS = r"^/(v1/sessions|v1/operator|healthz|readyz|metrics)"
KEY = "an-operators-key"
ENDLESS = r"/events$"


@pytest.fixture
def api(make_bot: Any, door: Any) -> Iterator[Visitor]:
    """A service that does not limit anybody, with one operator."""
    door.is_open.set()  # any text may come to mean the tool that waits
    limits = {"messages_per_minute": 1_000_000, "requests_per_minute": 1_000_000}
    bot = make_bot(server={**limits, "operator_keys": {"kim": hash_key(KEY)}})
    with serving(bot) as url:
        visitor = Visitor(url)
        yield visitor
        visitor.http.close()


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "forbidden"])
def test_the_description_holds(api: Visitor, mode: GenerationMode) -> None:
    described = schemathesis.openapi.from_url(f"{api.http.base_url}/openapi.json")
    described = described.include(path_regex=OURS).exclude(path_regex=ENDLESS)
    tried = set()
    for found in described.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(max_examples=40, deadline=None, suppress_health_check=[*HealthCheck], derandomize=True, database=None)
        def call(case: Any) -> None:
            headers = {"Authorization": f"Bearer {KEY}"} if mode is GenerationMode.POSITIVE else {}
            if "session_id" in (case.path_parameters or {}):
                session = api.session()
                case.path_parameters["session_id"] = session
                headers = api.key(session) if case.path.startswith("/v1/sessions") else headers
            case.call_and_validate(headers=headers, excluded_checks=BY_DESIGN)
            tried.add(case.operation.label)

        with contextlib.suppress(Unsatisfiable):  # nothing is forbidden where nothing is asked for
            call()
    assert len(tried) >= 5, tried


def test_every_route_is_described(visitor: Any) -> None:
    paths = visitor.http.get("/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for method, described in methods.items():
            assert described["summary"], (method, path)
            assert described["description"], (method, path)
            if path.startswith(("/v1/sessions", "/v1/operator")):
                schemas = {status: list(answer.get("content", {})) for status, answer in described["responses"].items()}
                assert schemas.pop("204", []) == []
                assert all(schemas.values()), (method, path, schemas)
    say = paths["/v1/sessions/{session_id}/messages"]["post"]
    assert list(say["responses"]["200"]["content"]) == ["application/json", "text/event-stream"]
    assert say["security"] == [{"key": []}, {"cookie": []}]
