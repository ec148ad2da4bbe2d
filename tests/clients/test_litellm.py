"""LiteLLM as a client: it speaks every dialect, and turns all answers into the one of OpenAI."""

import json

import litellm
import pytest

from asking import CITY, CLOCK, ENDLESS, HELLO, WEATHER, is_city
from conftest import assert_at_rest

litellm.telemetry = False
litellm.suppress_debug_info = True

KINDS = {
    "openai": lambda server: {"model": f"openai/{server.model}", "api_base": server.base_url},
    "anthropic": lambda server: {"model": f"anthropic/{server.model}", "api_base": server.url},
    "ollama_chat": lambda server: {"model": f"ollama_chat/{server.model}", "api_base": server.url},
}


@pytest.fixture(params=KINDS)
def ask(request, server):
    def ask(messages=HELLO, **options):
        options = {"max_tokens": 12, "temperature": 0, **options}
        return litellm.completion(
            **KINDS[request.param](server),
            messages=messages,
            api_key="unused",
            num_retries=0,
            max_retries=0,
            timeout=120,
            **options,
        )

    ask.kind = request.param
    return ask


def text_of(answer) -> str:
    return answer.choices[0].message.content


def test_answer(ask):
    answer = ask()
    assert "Paris" in text_of(answer)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens > 0


def test_stream_is_the_same_answer(ask):
    chunks = list(ask(stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text_of(ask())
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason] == [
        "stop"
    ]


def test_limit_and_stop(ask):
    assert ask(max_tokens=2).choices[0].finish_reason == "length"
    stopped = ask(stop=["Paris"])
    assert stopped.choices[0].finish_reason == "stop" and "Paris" not in text_of(stopped)


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "clock"}}], ids=["required", "named"]
)
def test_a_call_that_must_happen_happens(ask, choice):
    if ask.kind == "ollama_chat":
        pytest.skip("its dialect has no choice of tools")
    answer = ask(tools=[WEATHER, CLOCK], tool_choice=choice, parallel_tool_calls=False, max_tokens=160)
    assert answer.choices[0].finish_reason == "tool_calls"
    [call] = answer.choices[0].message.tool_calls
    assert is_city(json.loads(call.function.arguments))
    streamed = litellm.stream_chunk_builder(
        list(ask(tools=[WEATHER, CLOCK], tool_choice=choice, parallel_tool_calls=False, max_tokens=160, stream=True))
    )
    assert streamed.choices[0].message.tool_calls[0].function.arguments.replace(
        " ", ""
    ) == call.function.arguments.replace(" ", "")


def test_tools_are_offered_and_results_are_read(ask):
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
    messages = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ]
    assert ask(messages, tools=[WEATHER], tool_choice="auto").choices[0].message


def test_schema(ask):
    form = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": CITY}}
    answer = ask(response_format=form, max_tokens=160)
    assert is_city(json.loads(text_of(answer)))


@pytest.mark.parametrize("effort", ["low", "high"])
def test_a_model_without_thinking_does_not_mind(ask, effort):
    # It knows for which models it has the word, and these are none of them.
    allowed = ["reasoning_effort"]
    limit = 6000 if ask.kind == "anthropic" else 12
    answer = ask(reasoning_effort=effort, allowed_openai_params=allowed, max_tokens=limit, stop=["."])
    assert text_of(answer)


def test_errors_are_typed(ask):
    with pytest.raises((litellm.BadRequestError, litellm.APIConnectionError)):
        ask([{"role": "user", "content": "walrus " * 9000}])


def test_a_prompt_that_does_not_fit_is_known_as_such(server):
    """Programs cut the conversation when they see this one."""
    for kind in ("openai", "anthropic"):
        with pytest.raises(litellm.ContextWindowExceededError):
            litellm.completion(
                **KINDS[kind](server),
                messages=[{"role": "user", "content": "walrus " * 9000}],
                api_key="unused",
                max_tokens=4,
                num_retries=0,
            )


def test_a_stream_that_is_left_ends(ask, server):
    if ask.kind == "ollama_chat":
        pytest.skip("it keeps the connection until it is collected")
    form = {"type": "json_schema", "json_schema": {"name": "all", "strict": True, "schema": ENDLESS}}
    stream = ask(response_format=form, max_tokens=8000, stream=True)
    next(iter(stream))
    stream.completion_stream.close() if hasattr(stream.completion_stream, "close") else None
    del stream
    assert_at_rest(server)


def test_responses(server):
    answer = litellm.responses(
        model=f"openai/{server.model}",
        api_base=server.base_url,
        api_key="unused",
        input="Name the capital of France.",
        max_output_tokens=16,
    )
    assert answer.status in ("completed", "incomplete") and answer.output


def test_messages(server):
    """Its own route for Anthropic's dialect."""
    import asyncio

    answer = asyncio.run(
        litellm.anthropic.messages.acreate(
            model=f"anthropic/{server.model}", api_base=server.url, api_key="unused", messages=HELLO, max_tokens=8
        )
    )
    assert answer["content"]


def test_embeddings(server):
    for kind in (f"openai/{server.model}", f"ollama/{server.model}"):
        base = server.base_url if kind.startswith("openai") else server.url
        answer = litellm.embedding(model=kind, api_base=base, api_key="unused", input=["a dog", "a cat"])
        assert len(answer.data) == 2
