"""No model at all, for a bot that is only called by other programs and understands no messages itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from shopbot.errors import BackendError


class AbsentBackend:
    """The backend ``none``: it takes no memory and answers nothing."""

    name = "none"

    def complete(
        self,
        prompt: str,  # noqa: ARG002
        *,
        grammar: str | None = None,  # noqa: ARG002
        max_tokens: int = 128,  # noqa: ARG002
        bias: Mapping[str, float] | None = None,  # noqa: ARG002
    ) -> NoReturn:
        """Raises :class:`~shopbot.errors.BackendError`."""
        raise BackendError("This bot has no model.", remedy="Set model.backend to 'auto'.")

    def close(self) -> None:
        """There is nothing to free."""
