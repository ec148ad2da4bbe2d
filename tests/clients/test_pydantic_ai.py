"""Pydantic AI, with its models for chat completions and responses.

Its model for Anthropic's messages does not work with the release of Anthropic's SDK that the other tests use: it hands it
the client of another library, and makes messages of a type that is a union there.
"""

import asyncio

import pytest
from pydantic import BaseModel, Field
from pydantic_ai import Agent, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import (
    ModelRequest,
    ModelResponse,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from asking import QUESTION


class Capital(BaseModel):
    city: str = Field(max_length=12)


def make(kind, server):
    provider = OpenAIProvider(base_url=server.base_url, api_key="unused")
    return {"chat": OpenAIChatModel, "responses": OpenAIResponsesModel}[kind](server.model, provider=provider)


KINDS = ["chat", "responses"]


@pytest.fixture(params=KINDS)
def model(request, server):
    return make(request.param, server)


def settings(**more):
    return {"temperature": 0.0, "max_tokens": 16, **more}


def weather(city: str) -> str:
    """Says what the weather is."""
    return f"sunny in {city}"


def test_answer(model):
    result = Agent(model, instructions="You are helpful.").run_sync(QUESTION, model_settings=settings(seed=3))
    assert "Paris" in result.output
    assert result.usage.output_tokens > 0


def test_stop(server):
    """The dialect of responses has no stop texts."""
    result = Agent(make("chat", server)).run_sync(QUESTION, model_settings=settings(stop_sequences=["Paris"]))
    assert "Paris" not in result.output


def test_stream(model):
    async def stream():
        agent = Agent(model, system_prompt="You are helpful.")
        async with agent.run_stream(QUESTION, model_settings=settings()) as result:
            return [piece async for piece in result.stream_text(delta=True, debounce_by=None)]

    pieces = asyncio.run(stream())
    assert len(pieces) > 2 and "Paris" in "".join(pieces)


@pytest.mark.parametrize("strict", [None, True])
@pytest.mark.parametrize("parallel", [False, True])
def test_tools_are_answered_as_text(model, strict, parallel):
    agent = Agent(model)
    agent.tool_plain(weather, strict=strict)
    result = agent.run_sync(QUESTION, model_settings=settings(parallel_tool_calls=parallel))
    assert result.output


def test_a_conversation_with_a_tool_call_goes_on(model):
    """The call has no text beside it, which the client writes as null."""
    history = [
        ModelRequest(parts=[UserPromptPart("What is the weather in Paris?")]),
        ModelResponse(parts=[ToolCallPart("weather", {"city": "Paris"}, tool_call_id="c1")]),
        ModelRequest(parts=[ToolReturnPart("weather", "sunny", tool_call_id="c1")]),
    ]
    agent = Agent(model)
    agent.tool_plain(weather)
    assert agent.run_sync("And now?", message_history=history, model_settings=settings()).output


@pytest.mark.parametrize("output", [ToolOutput, NativeOutput, PromptedOutput])
def test_structured_answers(model, output):
    """Bound to a call or to a schema, the first answer is right; asked in words, a small model may not find it."""
    retries = 0 if output is not PromptedOutput else 3
    agent = Agent(model, output_type=output(Capital), retries=retries)
    try:
        assert isinstance(agent.run_sync(QUESTION, model_settings=settings(max_tokens=160)).output, Capital)
    except Exception as error:
        assert output is PromptedOutput and "retries" in str(error)


def test_thinking_comes_apart(thinking_server):
    for kind in KINDS:
        agent = Agent(make(kind, thinking_server), retries=0)
        with pytest.raises(Exception, match="token limit|output"):
            # Nothing but thoughts is no answer.
            agent.run_sync(QUESTION, model_settings=settings())


def test_an_error_is_typed(model):
    with pytest.raises(ModelHTTPError) as caught:
        Agent(model, retries=0).run_sync("walrus " * 9000)
    assert caught.value.status_code == 400
