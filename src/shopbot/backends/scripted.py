"""The scripted backend: a deterministic double of the model, for the tests of plugins and apps."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence

from shopbot.backends import Completion, Token
from shopbot.errors import BackendError

Script = Callable[[str], str] | Mapping[str, str] | Sequence[str]

_CUSTOMER = re.compile(
    r"(?:<\|im_start\|>user\n(?:\[[^\]\n]*\] ?)?|^\[[^\]\n]*\] )(.*?)<\|im_end\|>", re.DOTALL | re.MULTILINE
)
_PIECE = re.compile(r"\w+|\W")


class ScriptedBackend:
    """Answers from a script and records what it was asked.

    ``script`` is one of

    - a callable: gets the prompt, gives the completion;
    - a mapping from the customer's last message (white space and case do not matter) to the completion; ``""`` is the
      completion for every other message;
    - a list of completions, played in order.

    ``prompts``, ``grammars`` and ``biases`` hold what was asked, oldest first. Every token has log-probability 0, that
    is, certainty. An exhausted list or an unknown message raises :class:`BackendError`, naming the message.

        >>> backend = ScriptedBackend({"where is my order?": "find_orders()"})
        >>> backend.complete("<|im_start|>user\\n[-] Where is my order?<|im_end|>\\n<|im_start|>assistant\\n").text
        'find_orders()'
    """

    name = "scripted"

    def __init__(self, script: Script) -> None:
        self.prompts: list[str] = []
        self.grammars: list[str | None] = []
        self.biases: list[Mapping[str, float] | None] = []
        self._lock = threading.Lock()
        self._is_closed = False
        self._script = {_plain(key): text for key, text in script.items()} if isinstance(script, Mapping) else script

    def complete(
        self,
        prompt: str,
        *,
        grammar: str | None = None,
        max_tokens: int = 128,
        bias: Mapping[str, float] | None = None,
    ) -> Completion:
        """See :meth:`ModelBackend.complete`. The script is trusted: ``grammar`` and ``bias`` are recorded, and
        change nothing."""
        with self._lock:
            if self._is_closed:
                raise BackendError("The scripted backend is closed.", remedy="Open another one.")
            position = len(self.prompts)
            self.prompts.append(prompt)
            self.grammars.append(grammar)
            self.biases.append(bias)
        pieces = _PIECE.findall(self._text(prompt, position))
        kept = pieces[: max(0, max_tokens)]
        return Completion(
            text="".join(kept),
            tokens=tuple(Token(piece, 0.0) for piece in kept),
            prompt_tokens=len(_PIECE.findall(prompt)),
            cached_tokens=0,
            prompt_ms=0.0,
            generate_ms=0.0,
            is_cut=len(kept) < len(pieces),
        )

    def close(self) -> None:
        """Refuse further calls."""
        self._is_closed = True

    def _text(self, prompt: str, position: int) -> str:
        if callable(self._script):
            return self._script(prompt)
        if isinstance(self._script, Mapping):
            message = customer_message(prompt)
            for key in (_plain(message), ""):
                if key in self._script:
                    return self._script[key]
            raise BackendError(f"The script has no answer to {message!r}.", remedy="Add it, or a default under ''.")
        if position >= len(self._script):
            raise BackendError(
                f"The script has {len(self._script)} answers, this is call {position + 1}.", remedy="Add an answer."
            )
        return self._script[position]


def customer_message(prompt: str) -> str:
    """The customer's last message in a prompt of the chat template; the last line of any other text."""
    found = _CUSTOMER.findall(prompt)
    if found:
        return str(found[-1])
    lines = prompt.strip().splitlines()
    return lines[-1] if lines else ""


def _plain(message: str) -> str:
    return " ".join(message.split()).casefold()
