"""LangChain, with its package for OpenAI."""

import openai
import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import BaseModel

QUESTION = "Name the capital of France."


class Capital(BaseModel):
    """The capital of a country."""

    city: str


@tool
def weather(city: str) -> str:
    """Says what the weather is."""
    return f"sunny in {city}"


@pytest.fixture(scope="module")
def llm(server):
    return ChatOpenAI(
        base_url=server.base_url,
        api_key="unused",
        model=server.model,
        max_retries=0,
        temperature=0,
        max_tokens=16,
        seed=3,
    )


def test_answer(llm):
    answer = llm.invoke([SystemMessage("You are helpful."), HumanMessage(QUESTION)])
    assert "Paris" in answer.content
    assert answer.usage_metadata["output_tokens"] > 0


def test_stream(llm):
    pieces = [piece.content for piece in llm.stream(QUESTION)]
    assert len(pieces) > 2
    assert "".join(pieces) == llm.invoke(QUESTION).content


def test_stop(llm):
    assert "Paris" not in llm.invoke(QUESTION, stop=["Paris"]).content


def test_a_developer_is_heard(llm):
    system = SystemMessage("You are helpful.")
    developer = SystemMessage("You are helpful.", additional_kwargs={"__openai_role__": "developer"})
    assert llm.invoke([developer, HumanMessage(QUESTION)]).content == llm.invoke([system, HumanMessage(QUESTION)]).content


@pytest.mark.parametrize("options", [{}, {"strict": True}, {"parallel_tool_calls": False}, {"tool_choice": "auto"}])
def test_tools_are_answered_as_text(llm, options):
    answer = llm.bind_tools([weather], **options).invoke(QUESTION)
    assert answer.content and answer.tool_calls == []


def test_a_conversation_with_a_tool_call_goes_on(llm):
    call = {"name": "weather", "args": {"city": "Paris"}, "id": "c1", "type": "tool_call"}
    messages = [
        HumanMessage("What is the weather in Paris?"),
        AIMessage("", tool_calls=[call]),
        ToolMessage("sunny", tool_call_id="c1"),
    ]
    assert llm.bind_tools([weather]).invoke(messages).content


def test_an_agent_with_tools_answers(llm):
    answer = create_agent(llm, [weather], system_prompt="You are helpful.").invoke({"messages": [HumanMessage(QUESTION)]})
    assert answer["messages"][-1].content


@pytest.mark.parametrize("method", ["json_schema", "json_mode", "function_calling"])
def test_structured_answers_are_refused_by_name(llm, method):
    with pytest.raises(openai.BadRequestError, match="tool_choice|response_format"):
        llm.with_structured_output(Capital, method=method).invoke(QUESTION)


def test_plain_completions(server):
    llm = OpenAI(base_url=server.base_url, api_key="unused", model=server.model, temperature=0, max_tokens=8)
    assert llm.invoke("The capital of France is")


def test_no_limit(llm):
    whole = llm.invoke(QUESTION)
    without = llm.bind(max_tokens=-1, stop=["Paris"]).invoke(QUESTION)
    assert whole.content.startswith(without.content) and without.response_metadata["finish_reason"] == "stop"


def test_embeddings(server):
    # With the check, the client splits texts with a vocabulary of OpenAI's that it would download.
    embedder = OpenAIEmbeddings(
        base_url=server.base_url, api_key="unused", model=server.model, check_embedding_ctx_length=False
    )
    dog, cat = embedder.embed_documents(["a dog", "a cat"])
    assert dog != cat
    assert embedder.embed_query("a dog") == pytest.approx(dog, abs=1e-3)
