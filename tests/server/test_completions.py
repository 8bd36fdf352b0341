"""The bot for programs made for OpenAI's API: the official client over a real socket."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import schemathesis
import shopbot_orders
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from shopbot.bot import Bot
from shopbot.identity import sign_token
from shopbot.keys import hash_key
from shopbot.store import CANCELLED, Store
from shopbot.testing import find_customer

ADA, ORDER, OTHER = "ada@example.com", "#W4382745", "#W4471333"
SECRET, KEY = "s3cret", "an-operators-key"
CANCEL = f"cancel {ORDER}, no longer needed"
SCRIPT = {
    f"where is {ORDER}?": f'order_status(order="{ORDER}")',
    CANCEL: f'cancel_order(order="{ORDER}", reason="no longer needed")',
    "what is the weather in Paris?": 'get_weather(city="Paris", unit="celsius")',
    "10 and Rome": 'set_timer(minutes="10")\nget_weather(city="Rome")',
    "timer for a while": 'set_timer(minutes="a while", loud="true")',
    "inform the boss": 'do_inform_boss(text="the boss")',
    "": "smalltalk()",
}
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "getWeather",
        "description": "Get the weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": ["string", "null"], "enum": ["celsius", "fahrenheit"]},
                "history": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["city"],
        },
    },
}
TIMER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "set-timer",
        "examples": ["timer for [minutes: 5] minutes"],
        "parameters": {
            "type": "object",
            "properties": {
                "minutes": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                "loud": {"type": "boolean"},
            },
        },
    },
}


@pytest.fixture
def bot(shopbot_bot: Callable[..., Bot]) -> Bot:
    config = {
        "identity": {"token_secret": SECRET},
        "server": {"operator_keys": {"test": hash_key(KEY)}},
        "session": {"max_message_chars": 500},
    }
    return shopbot_bot(plugins={"orders": shopbot_orders}, script=SCRIPT, config=config)


@pytest.fixture
def client(bot: Bot, serving: Callable[..., Any]) -> Iterator[Callable[..., openai.OpenAI]]:
    """Make a client of the served bot; ``api_key`` as OpenAI's."""
    with ExitStack() as stack:
        url = stack.enter_context(serving(bot))
        http = stack.enter_context(httpx.Client(trust_env=False, timeout=20))

        def make(api_key: str = "anything", **options: Any) -> openai.OpenAI:
            return openai.OpenAI(base_url=f"{url}/v1", api_key=api_key, http_client=http, max_retries=0, **options)

        yield make


@pytest.fixture
def visitor(client: Callable[..., openai.OpenAI]) -> openai.OpenAI:
    return client()


@pytest.fixture
def operator(client: Callable[..., openai.OpenAI]) -> openai.OpenAI:
    return client(api_key=KEY)


def say(client: openai.OpenAI, text: str, **more: Any) -> Any:
    return client.chat.completions.create(model="shopbot", messages=[{"role": "user", "content": text}], **more)


def status(store: Store) -> str:
    order = store.order(ORDER)
    assert order is not None
    return order.status


def test_the_models(visitor: openai.OpenAI) -> None:
    assert [model.id for model in visitor.models.list()] == ["shopbot", "scripted"]
    assert visitor.models.retrieve("shopbot").owned_by == "shopbot"
    with pytest.raises(openai.NotFoundError):
        visitor.models.retrieve("gpt-4")


def test_an_answer(visitor: openai.OpenAI) -> None:
    answer = say(visitor, "hello", temperature=0.2, max_tokens=5, user="somebody")
    [choice] = answer.choices
    assert choice.message.role == "assistant" and "orders" in choice.message.content
    assert (choice.finish_reason, choice.message.tool_calls) == ("stop", None)
    assert answer.model == "shopbot" and answer.id.startswith("chatcmpl-")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_a_conversation_goes_on_by_its_metadata(visitor: openai.OpenAI, bot: Bot) -> None:
    messages: list[Any] = []
    metadata = None
    for text in (CANCEL, ADA, "yes"):
        messages.append({"role": "user", "content": text})
        answer = visitor.chat.completions.create(model="shopbot", messages=messages, metadata=metadata)
        messages.append(answer.choices[0].message)
        metadata = answer.metadata
    assert f"Order {ORDER} is cancelled" in answer.choices[0].message.content
    assert status(bot.store) == CANCELLED


def test_without_its_metadata_a_conversation_begins_anew(visitor: openai.OpenAI, bot: Bot) -> None:
    say(visitor, CANCEL)
    say(visitor, ADA)
    say(visitor, "yes")
    assert status(bot.store) != CANCELLED
    assert len(bot.store.session_entries()) == 3


def test_the_same_request_again_is_the_same_turn(visitor: openai.OpenAI, bot: Bot) -> None:
    """What the client does by itself when an answer was lost."""
    first = say(visitor, "hello")
    second = say(visitor, "hello", metadata=first.metadata)
    again = say(visitor, "hello", metadata=first.metadata)
    third = say(visitor, "hello", metadata=second.metadata)
    assert again.metadata == second.metadata != third.metadata
    [session] = bot.store.session_entries()
    assert session.turns == 3


def test_a_yes_that_is_sent_again_confirms_nothing_else(visitor: openai.OpenAI, bot: Bot) -> None:
    token = sign_token(find_customer(bot.store, ADA), SECRET)
    asked = say(visitor, CANCEL, metadata={"customer_token": token})
    assert "Shall I go ahead?" in asked.choices[0].message.content
    done = say(visitor, "yes", metadata=asked.metadata)
    again = say(visitor, "yes", metadata=asked.metadata)
    assert again.choices[0].message.content == done.choices[0].message.content


@pytest.mark.parametrize("session", ["", "x", "a.b.1", "a.b.c", "../..1", "\x00.\x00.1", "é.é.1", "a" * 201])
def test_a_session_that_is_not_ours(visitor: openai.OpenAI, session: str) -> None:
    with pytest.raises((openai.NotFoundError, openai.BadRequestError)) as refused:
        say(visitor, "hello", metadata={"session": session})
    assert refused.value.type == "invalid_request_error"


def test_another_visitors_session_does_not_open_without_its_token(visitor: openai.OpenAI) -> None:
    session_id, _, number = say(visitor, "hello").metadata["session"].split(".")
    other = say(visitor, "hello").metadata["session"].split(".")[1]
    with pytest.raises(openai.NotFoundError):
        say(visitor, "hello", metadata={"session": f"{session_id}.{other}.{number}"})


def test_a_signed_customer_and_no_learning(visitor: openai.OpenAI, bot: Bot) -> None:
    token = sign_token(find_customer(bot.store, ADA), SECRET)
    answer = say(visitor, f"where is {ORDER}?", metadata={"customer_token": token}, store=False)
    assert "pending" in answer.choices[0].message.content
    [session] = bot.store.session_entries()
    assert session.customer_id == find_customer(bot.store, ADA)
    assert bot.view(session.id).allows_refine is False
    with pytest.raises(openai.BadRequestError, match="token"):
        say(visitor, "hello", metadata={"customer_token": "rubbish"})


def test_a_stream(visitor: openai.OpenAI) -> None:
    chunks = list(say(visitor, "hello", stream=True, stream_options={"include_usage": True}))
    whole = say(visitor, "hello").choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == whole
    assert len(chunks) > 4, "in pieces"
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-1] == "stop"
    assert chunks[-1].usage.total_tokens > 0 and chunks[-1].choices == []
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    session = chunks[-2].model_extra["metadata"]
    assert say(visitor, "hello", metadata=session).metadata["session"].split(".")[0] == session["session"].split(".")[0]


def test_the_clients_own_helper_for_streams(visitor: openai.OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "hello"}]
    with visitor.chat.completions.stream(model="shopbot", messages=messages) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "content.delta" in kinds and kinds[-1] == "content.done"
    assert "orders" in (final.choices[0].message.content or "")


def test_text_in_parts_is_read(visitor: openai.OpenAI) -> None:
    parts: Any = [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]
    assert say(visitor, parts).choices[0].message.content
    with pytest.raises(openai.BadRequestError, match="content"):
        say(visitor, [{"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}])


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "assistant", "content": "hello"}]}, "messages"),
        ({"messages": [{"role": "pirate", "content": "hello"}]}, "messages.0.role"),
        ({"messages": "hello"}, "messages"),
        ({"n": 2}, "n"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"stream": "perhaps"}, "stream"),
    ],
)
def test_a_body_that_will_not_do(visitor: openai.OpenAI, wrong: dict[str, Any], param: str) -> None:
    body = {"model": "shopbot", "messages": [{"role": "user", "content": "hello"}], **wrong}
    with pytest.raises(openai.BadRequestError) as refused:
        visitor.post("/chat/completions", body=body, cast_to=object)
    assert refused.value.param == param
    assert refused.value.type == "invalid_request_error"
    assert refused.value.code in ("invalid", "invalid_value")


def test_other_errors_have_openais_shape_too(visitor: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        visitor.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": "hello"}])
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    raw = httpx.post(f"{visitor.base_url}chat/completions", content=b"{", trust_env=False)
    assert raw.status_code == 400
    assert raw.json()["error"].keys() == {"message", "type", "param", "code"}


def test_too_much_at_once(shopbot_bot: Callable[..., Bot], serving: Callable[..., Any]) -> None:
    bot = shopbot_bot(script=SCRIPT, config={"server": {"messages_per_minute": 2}})
    with serving(bot) as url, httpx.Client(trust_env=False) as http:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="x", http_client=http, max_retries=0)
        metadata = say(client, "hello").metadata
        metadata = say(client, "hello", metadata=metadata).metadata
        with pytest.raises(openai.RateLimitError) as limited:
            say(client, "hello", metadata=metadata)
    assert limited.value.type == "rate_limit_error"
    assert int(limited.value.response.headers["Retry-After"]) > 0


def test_an_error_in_the_middle_of_a_stream(visitor: openai.OpenAI, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = say(visitor, "hello").metadata

    def broken(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("password=hunter2")

    # patched because a store that breaks at that moment cannot be had for real
    monkeypatch.setattr(bot.store, "save_session", broken)
    with pytest.raises(openai.APIError, match="Something went wrong here") as refused:
        list(say(visitor, "hello", metadata=metadata, stream=True))
    assert "hunter2" not in str(refused.value.body)


def call(client: openai.OpenAI, text: str, *tools: Any, **more: Any) -> list[tuple[str, Any]]:
    """Names and arguments of the calls that the answer makes."""
    answer = say(client, text, tools=list(tools) or [WEATHER, TIMER], **more)
    choice = answer.choices[0]
    assert choice.finish_reason == ("tool_calls" if choice.message.tool_calls else "stop")
    return [(one.function.name, json.loads(one.function.arguments)) for one in choice.message.tool_calls or ()]


def test_a_function_of_the_clients(operator: openai.OpenAI, bot: Bot) -> None:
    assert call(operator, "what is the weather in Paris?") == [("getWeather", {"city": "Paris"})], "nothing is made up"
    assert bot.store.session_entries() == [], "no session is begun"


def test_several_functions_at_once(operator: openai.OpenAI) -> None:
    assert call(operator, "10 and Rome") == [("set-timer", {"minutes": 10}), ("getWeather", {"city": "Rome"})]
    assert len(call(operator, "10 and Rome", parallel_tool_calls=False)) == 1


def test_values_have_their_types_or_are_left_out(operator: openai.OpenAI) -> None:
    assert call(operator, "timer for a while") == [("set-timer", {"loud": True})]


def test_a_function_that_is_named_like_a_dialogue_act(operator: openai.OpenAI) -> None:
    function = {"name": "InformBoss", "parameters": {"properties": {"text": {"type": "string"}}}}
    assert call(operator, "inform the boss", {"type": "function", "function": function}) == [
        ("InformBoss", {"text": "the boss"})
    ]


def test_the_shops_own_tools_can_be_offered_as_functions(operator: openai.OpenAI, bot: Bot) -> None:
    """The checkpoint knows them by name."""
    schema = bot.tools["cancel_order"].schema()
    shops = {"type": "function", "function": {"name": "cancel_order", "parameters": schema}}
    assert call(operator, CANCEL, shops) == [("cancel_order", {"order": ORDER, "reason": "no longer needed"})]
    assert status(bot.store) != CANCELLED, "nothing is run here"


def test_no_function_is_meant(operator: openai.OpenAI) -> None:
    assert call(operator, "hello") == []


def test_a_choice_of_functions(operator: openai.OpenAI, bot: Bot) -> None:
    named: Any = {"type": "function", "function": {"name": "getWeather"}}
    assert call(operator, "what is the weather in Paris?", tool_choice=named) == [("getWeather", {"city": "Paris"})]
    call(operator, "what is the weather in Paris?", tool_choice="required")
    assert bot.backend.biases[-1]["smalltalk"] == -100  # type: ignore[attr-defined]  (a dialogue act is impossible)
    with pytest.raises(openai.BadRequestError, match="no function 'fly'"):
        call(operator, "hello", tool_choice={"type": "function", "function": {"name": "fly"}})
    answer = say(operator, "hello", tools=[WEATHER], tool_choice="none")
    assert "orders" in answer.choices[0].message.content, "then the shop's bot answers"


def test_functions_need_an_operators_key(visitor: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError) as refused:
        call(visitor, "what is the weather in Paris?")
    assert refused.value.type == "authentication_error"


def test_a_stream_of_calls(operator: openai.OpenAI) -> None:
    chunks = list(say(operator, "what is the weather in Paris?", tools=[WEATHER], stream=True))
    calls = [one for chunk in chunks for one in chunk.choices[0].delta.tool_calls or ()]
    assert [(one.index, one.function.name, one.function.arguments) for one in calls] == [
        (0, "getWeather", '{"city": "Paris"}')
    ]
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def function_of(properties: Any, required: Any = (), name: str = "f") -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


@pytest.mark.parametrize(
    "tool",
    [
        function_of({"x": {"type": "array"}}, ["x"]),
        function_of({"x": {"type": "object"}}, ["x"]),
        function_of({"x": {"$ref": "#/x"}, "y": {"enum": [1, 2]}}, ["y"]),
        function_of({"x": {"enum": ["a\nb"]}}, ["x"]),
        function_of({"x": {"enum": ["a" * 101]}}, ["x"]),
        function_of({"x": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}, ["x"]),
        function_of({"x": {"anyOf": [7, []]}}, ["x"]),
        function_of({"x": 7}, ["x"]),
        function_of([]),
        function_of({f"p{number}": {} for number in range(33)}),
        function_of({}, name="no spaces"),
        function_of({}, name="x" * 65),
        {"type": "retrieval"},
    ],
)
def test_a_function_that_no_message_could_call(operator: openai.OpenAI, tool: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        say(operator, "hello", tools=[tool])
    assert refused.value.param.startswith("tools"), refused.value
    assert "hello" not in str(refused.value)


def test_functions_with_awkward_names(operator: openai.OpenAI) -> None:
    awkward = [
        function_of({"email": {}, "EMail": {}, "e-mail": {}, "1": {"type": "number"}}, name=name)
        for name in ("get", "GET", "g-e-t", "1", "_", "__init__", "affirm", "out_of_scope")
    ]
    assert call(operator, "hello", *awkward) == []


def test_a_very_long_message_for_functions(operator: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="longer than 500"):
        call(operator, "why " * 200)


def test_the_result_of_a_function_is_the_answer(operator: openai.OpenAI) -> None:
    first = say(operator, "what is the weather in Paris?", tools=[WEATHER])
    message = first.choices[0].message
    messages: list[Any] = [
        {"role": "user", "content": "what is the weather in Paris?"},
        message,
        {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "18 degrees, cloudy"},
    ]
    answer = operator.chat.completions.create(model="shopbot", messages=messages, tools=[WEATHER])
    assert answer.choices[0].message.content == "18 degrees, cloudy"


def test_the_examples_of_the_docs_run(client: Callable[..., openai.OpenAI], capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "http-api.md").read_text(encoding="utf-8")
    chat, functions = re.findall(r"```python\n(.*?)```", page.partition("OpenAI's API")[2], re.DOTALL)
    exec(chat.replace("client = OpenAI(", "client or OpenAI("), {"client": client()})
    assert capsys.readouterr().out.count("\n") >= 2
    operator = {"client": client(api_key=KEY)}
    exec(functions, operator)
    assert operator["answer"].choices[0].finish_reason in ("stop", "tool_calls")  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "forbidden"])
def test_the_description_holds(shopbot_bot: Callable[..., Bot], serving: Callable[..., Any], mode: Any) -> None:
    """As tests/server/test_openapi.py does for the rest of the API."""
    limits = {"messages_per_minute": 1_000_000, "requests_per_minute": 1_000_000}
    bot = shopbot_bot(script=SCRIPT, config={"server": {**limits, "operator_keys": {"test": hash_key(KEY)}}})
    tried = set()
    with serving(bot) as url:
        described = schemathesis.openapi.from_url(f"{url}/openapi.json").include(path_regex=r"^/v1/(models|chat)")
        for found in described.get_all_operations():
            operation = found.ok()

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=30, deadline=None, suppress_health_check=[*HealthCheck], derandomize=True, database=None
            )
            def call(case: Any) -> None:
                # what the schema cannot say: the model's name, whose session it is, that the user speaks last
                case.call_and_validate(
                    headers={"Authorization": f"Bearer {KEY}"}, excluded_checks=[positive_data_acceptance]
                )
                tried.add(case.operation.label)

            with contextlib.suppress(Unsatisfiable):  # nothing is forbidden where nothing is asked for
                call()
    assert "POST /v1/chat/completions" in tried
