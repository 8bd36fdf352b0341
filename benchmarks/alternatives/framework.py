"""A generic agent framework (PyPI ``pydantic-ai-slim``) on llama.cpp's OpenAI-compatible server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic_ai import (
    Agent,
    DeferredToolRequests,
    ExternalToolset,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeOutput,
    StructuredDict,
    TextPart,
    ToolCallPart,
    ToolDefinition,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings

from benchmarks.alternatives.judging import Guess
from benchmarks.alternatives.offers import Offer, answer_schema
from benchmarks.alternatives.shots import Shot

_ROLE = "You are a shop's assistant. Say which one function the customer's message asks for, with its arguments in the customer's own words."
_MAX_TOKENS = 64
#: What is guessed where the model answers with text of its own: it saw nothing to call.
_NO_CALL = "out_of_scope"
#: Tool calls that the model may make or leave, or an answer that a JSON schema holds it to. The framework lets no agent
#: run whose model must always call.
Form = Literal["tools", "json"]


class FrameworkArm:
    """An agent that is offered the functions; it calls none, for what it would call is the guess. ``choose`` gives the
    shots for a message, which the model sees as earlier exchanges."""

    def __init__(
        self,
        server: tuple[str, str],
        offered: Sequence[Offer],
        form: Form,
        choose: Callable[[str], Sequence[Shot]],
    ) -> None:
        self._choose = choose
        url, key = server
        model = OpenAIChatModel("base", provider=OpenAIProvider(base_url=url, api_key=key))
        is_json = form == "json"
        self._history = json_history if is_json else tool_history
        self._agent: Agent[None, Any] = Agent(
            model,
            output_type=NativeOutput(StructuredDict(answer_schema(offered)))
            if is_json
            else [str, DeferredToolRequests],
            toolsets=[] if is_json else [ExternalToolset(tool_definitions(offered))],
            instructions=f"{_ROLE}\n\n{_listed(offered)}" if is_json else _ROLE,
            model_settings=ModelSettings(temperature=0.0, max_tokens=_MAX_TOKENS),
            retries=0,
        )

    def __call__(self, message: str) -> Guess:
        try:
            run = self._agent.run_sync(message, message_history=self._history(self._choose(message)))
        except UnexpectedModelBehavior:  # cut at the most tokens, or no JSON
            return Guess("none")
        name, arguments = _call(run.output)
        usage = run.usage
        cached = usage.cache_read_tokens
        # a grammar lets it write an argument that is empty: it has none
        given = {key: str(value) for key, value in arguments.items() if value not in (None, "")}
        return Guess(name, given, usage.input_tokens - cached, cached, usage.output_tokens)


def tool_definitions(offered: Sequence[Offer]) -> list[ToolDefinition]:
    """The functions as the framework takes them: names, descriptions and schemas as they were declared."""
    return [
        ToolDefinition(name=offer.name, description=offer.description, parameters_json_schema=offer.schema)
        for offer in offered
    ]


def _listed(offered: Sequence[Offer]) -> str:
    return "\n".join(f"{offer.name}({', '.join(offer.schema['properties'])}): {offer.description}" for offer in offered)


def json_history(shots: Sequence[Shot]) -> list[ModelMessage]:
    """Earlier exchanges that were answered in the form of :func:`answer_schema`."""
    history: list[ModelMessage] = []
    for shot in shots:
        answer = json.dumps({"act": shot.name, **shot.arguments}, ensure_ascii=False)
        history += [ModelRequest([UserPromptPart(shot.message)]), ModelResponse([TextPart(answer)])]
    return history


def tool_history(shots: Sequence[Shot]) -> list[ModelMessage]:
    """Earlier exchanges that were answered by a call."""
    history: list[ModelMessage] = []
    for number, shot in enumerate(shots):
        call = ToolCallPart(shot.name, shot.arguments, f"call{number}")
        request, result = UserPromptPart(shot.message), ToolReturnPart(shot.name, "done", call.tool_call_id)
        history += [ModelRequest([request]), ModelResponse([call]), ModelRequest([result])]
    return history


def _call(output: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(output, str):
        return _NO_CALL, {}
    if isinstance(output, DeferredToolRequests):
        call = output.calls[0]
        return call.tool_name, call.args_as_dict()
    arguments = dict(output)
    return str(arguments.pop("act")), arguments
