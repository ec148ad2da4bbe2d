"""Pydantic AI, with its model for chat completions."""

import asyncio

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelRequest, ModelResponse, ToolCallPart, ToolReturnPart, UserPromptPart
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

QUESTION = "Name the capital of France."


class Capital(BaseModel):
    city: str


@pytest.fixture(scope="module")
def model(server):
    return OpenAIChatModel(server.model, provider=OpenAIProvider(base_url=server.base_url, api_key="unused"))


def settings(**more):
    return {"temperature": 0.0, "max_tokens": 16, **more}


def weather(city: str) -> str:
    """Says what the weather is."""
    return f"sunny in {city}"


def test_answer(model):
    result = Agent(model, instructions="You are helpful.").run_sync(QUESTION, model_settings=settings(seed=3))
    assert "Paris" in result.output
    assert result.usage.output_tokens > 0


def test_stop(model):
    result = Agent(model).run_sync(QUESTION, model_settings=settings(stop_sequences=["Paris"]))
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


def test_structured_answers_are_refused_by_name(model):
    with pytest.raises(ModelHTTPError) as caught:
        Agent(model, output_type=Capital, retries=0).run_sync(QUESTION, model_settings=settings())
    assert caught.value.status_code == 400
    assert caught.value.body["param"] in ("tool_choice", "response_format")
