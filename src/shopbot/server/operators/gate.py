"""Who passes to the operator's part of the API, and the account that is kept of what they do there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends

from shopbot.server.access import Operator, require_operator
from shopbot.server.service import limit_address
from shopbot.store import Store

T = TypeVar("T")
#: A route's parameter of this type is the operator whose key was sent.
By = Annotated[Operator, Depends(require_operator)]


def operator_router(path: str = "", *, tag: str) -> APIRouter:
    """A router below ``/v1/operator`` that only operators pass."""
    passing = [Depends(limit_address), Depends(require_operator)]
    return APIRouter(prefix=f"/v1/operator{path}", tags=[tag], dependencies=passing)


def account(store: Store, operator: Operator, name: str, subject: str, do: Callable[[], T]) -> T:
    """What ``do`` gives. That the operator does it is kept before, and how it ended after."""
    action = store.begin_action(operator.name, name, subject)
    try:
        result = do()
    except Exception:
        store.end_action(action, "refused")
        raise
    store.end_action(action, "done")
    return result
