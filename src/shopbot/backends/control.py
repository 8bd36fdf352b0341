"""Control tokens in prompts: only the template's own may be any; every other one is a customer's text, and stays so."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: The only control tokens that a prompt may hold.
TEMPLATE_TOKENS = frozenset({"<|im_start|>", "<|im_end|>"})


class Inert:
    """Makes a model's ``control_tokens`` in a prompt inert, but for those in :data:`TEMPLATE_TOKENS`."""

    def __init__(self, control_tokens: Iterable[str]) -> None:
        inert = sorted((token for token in control_tokens if token not in TEMPLATE_TOKENS), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, inert))) if inert else None

    def __call__(self, prompt: str) -> str:
        """``prompt`` with each of those tokens broken up by a space."""
        # A lone surrogate is no text, and the engine refuses it.
        prompt = prompt.encode("utf-8", "replace").decode("utf-8")
        return self._pattern.sub(_break_up, prompt) if self._pattern else prompt


def _break_up(match: re.Match[str]) -> str:
    token = match[0]
    return f"{token[0]} {token[1:]}" if len(token) > 1 else " "
