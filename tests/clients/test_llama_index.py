"""LlamaIndex, as its documentation says for servers that speak OpenAI's dialect."""

import asyncio

import openai
import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel, Field

from asking import QUESTION


class Capital(BaseModel):
    """The capital of a country."""

    city: str = Field(max_length=12)


def weather(city: str) -> str:
    """Says what the weather is."""
    return f"sunny in {city}"


@pytest.fixture(scope="module")
def llm(server):
    return llm_with(server)


def llm_with(server, **options):
    return OpenAILike(
        model=server.model,
        api_base=server.base_url,
        api_key="unused",
        is_chat_model=True,
        is_function_calling_model=True,
        max_retries=0,
        temperature=0,
        context_window=2048,
        **{"max_tokens": 16, **options},
    )


def test_complete_and_chat(llm):
    assert "Paris" in llm.complete(QUESTION).text
    messages = [ChatMessage(role="system", content="Answer in one word."), ChatMessage(role="user", content=QUESTION)]
    assert llm.chat(messages).message.content


def test_stream(llm):
    pieces = [piece.delta for piece in llm.stream_chat([ChatMessage(role="user", content=QUESTION)])]
    assert len(pieces) > 2
    assert "".join(pieces) == llm.chat([ChatMessage(role="user", content=QUESTION)]).message.content


@pytest.mark.parametrize("role", ["system", "developer"])
def test_roles(llm, role):
    messages = [ChatMessage(role=role, content="Answer in French."), ChatMessage(role="user", content=QUESTION)]
    assert llm.chat(messages).message.content


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("parallel", [False, True])
def test_tools_are_answered_as_text(server, strict, parallel):
    llm = llm_with(server, strict=strict)
    tools = [FunctionTool.from_defaults(weather)]
    answer = llm.chat_with_tools(tools, user_msg=QUESTION, allow_parallel_tool_calls=parallel)
    assert answer.message.content
    assert llm.get_tool_calls_from_response(answer, error_on_no_tool_call=False) == []


def test_an_agent_with_tools_answers(llm):
    async def answer():
        return await FunctionAgent(tools=[weather], llm=llm, system_prompt="You are helpful.").run(QUESTION)

    assert str(asyncio.run(answer()))


def test_a_call_that_must_happen_happens(server):
    llm = llm_with(server, max_tokens=160)
    answer = llm.chat_with_tools([FunctionTool.from_defaults(weather)], user_msg=QUESTION, tool_required=True)
    assert {call.tool_name for call in llm.get_tool_calls_from_response(answer)} == {"weather"}


@pytest.mark.parametrize("formatted", [False, True])
def test_structured_answers(server, formatted):
    llm = llm_with(server, max_tokens=160, should_use_structured_outputs=formatted)
    assert isinstance(llm.as_structured_llm(Capital).complete(QUESTION).raw, Capital)


def test_an_error_is_typed(llm):
    with pytest.raises(openai.BadRequestError) as caught:
        llm.complete("walrus " * 9000)
    assert caught.value.code == "context_length_exceeded"


def test_embeddings(server):
    embedder = OpenAILikeEmbedding(model_name=server.model, api_base=server.base_url, api_key="unused")
    [dog, cat] = embedder.get_text_embedding_batch(["a dog", "a cat"])
    assert len(dog) == len(cat) > 100 and dog != cat
    assert embedder.get_query_embedding("a dog") == pytest.approx(dog, abs=1e-3)
