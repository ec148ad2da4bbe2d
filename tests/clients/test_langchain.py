"""LangChain, with its packages for OpenAI, Anthropic and Ollama."""

import anthropic
import ollama
import openai
import pytest
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama, OllamaEmbeddings
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field

from asking import ENDLESS, QUESTION
from conftest import assert_at_rest


class Capital(BaseModel):
    """The capital of a country."""

    city: str = Field(max_length=12)


@tool
def weather(city: str) -> str:
    """Says what the weather is."""
    return f"sunny in {city}"


@tool
def clock(city: str) -> str:
    """Says what time it is."""
    return f"noon in {city}"


def openai_chat(server, **options):
    options = {"max_tokens": 16, "temperature": 0, "seed": 3, **options}
    return ChatOpenAI(base_url=server.base_url, api_key="unused", model=server.model, max_retries=0, **options)


def openai_responses(server, **options):
    options = {"max_tokens": 16, "temperature": 0, **options}
    return ChatOpenAI(
        base_url=server.base_url, api_key="unused", model=server.model, max_retries=0, use_responses_api=True, **options
    )


def anthropic_chat(server, **options):
    options = {"max_tokens": 16, **options}
    return ChatAnthropic(base_url=server.url, api_key="unused", model=server.model, max_retries=0, top_k=1, **options)


def ollama_chat(server, **options):
    limit = options.pop("max_tokens", 16)
    return ChatOllama(
        base_url=server.url,
        model=server.model,
        num_predict=limit,
        temperature=0,
        validate_model_on_init=True,
        **options,
    )


KINDS = {"chat": openai_chat, "responses": openai_responses, "anthropic": anthropic_chat, "ollama": ollama_chat}
REFUSED = (openai.BadRequestError, anthropic.BadRequestError, ollama.ResponseError)


@pytest.fixture(params=KINDS)
def make(request, server):
    """Makes a chat model of each of the packages."""
    return lambda **options: KINDS[request.param](server, **options)


@pytest.fixture
def any_llm(make):
    return make()


@pytest.fixture(scope="module")
def llm(server):
    return openai_chat(server)


def test_any_answer(any_llm):
    answer = any_llm.invoke([SystemMessage("You are helpful."), HumanMessage(QUESTION)])
    assert "Paris" in answer.text
    assert answer.usage_metadata["output_tokens"] > 0
    assert (
        answer.usage_metadata["total_tokens"]
        == answer.usage_metadata["input_tokens"] + answer.usage_metadata["output_tokens"]
    )


def test_any_stream(any_llm):
    pieces = list(any_llm.stream(QUESTION))
    assert len(pieces) > 2
    assert "".join(piece.text for piece in pieces) == any_llm.invoke(QUESTION).text


@pytest.mark.parametrize("choice", ["any", "clock"])
def test_any_call_that_must_happen(request, make, choice):
    if "ollama" in request.node.callspec.id:
        pytest.skip("its dialect has no choice of tools")
    llm = make(max_tokens=160).bind_tools([weather, clock], tool_choice=choice, parallel_tool_calls=False)
    [call] = llm.invoke(QUESTION).tool_calls
    assert isinstance(call["args"]["city"], str) and call["name"] == {"any": call["name"], "clock": "clock"}[choice]
    # Fragments are joined by their index.
    whole = None
    for piece in llm.stream(QUESTION):
        whole = piece if whole is None else whole + piece
    [streamed] = whole.tool_calls
    assert (streamed["name"], streamed["args"]) == (call["name"], call["args"])


def test_any_conversation_with_a_tool_call_goes_on(any_llm):
    call = {"name": "weather", "args": {"city": "Paris"}, "id": "c1", "type": "tool_call"}
    messages = [
        HumanMessage("What is the weather in Paris?"),
        AIMessage("", tool_calls=[call]),
        ToolMessage("sunny", tool_call_id="c1"),
    ]
    assert any_llm.bind_tools([weather]).invoke(messages).text


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_any_structured_answer(request, make, method):
    if "ollama" in request.node.callspec.id and method == "function_calling":
        pytest.skip("its dialect has no choice of tools")
    bound = make(max_tokens=160).with_structured_output(Capital, method=method, include_raw=True)
    answer = bound.invoke(QUESTION)
    assert isinstance(answer["parsed"], Capital), answer


def test_any_error(make):
    with pytest.raises(REFUSED):
        make().invoke("walrus " * 9000)
    with pytest.raises(REFUSED):
        make().invoke([HumanMessage([{"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"}])])


def test_any_stream_that_is_left_ends(request, make, server):
    schema = {**ENDLESS, "title": "all"}
    llm = make(max_tokens=8000)
    forms = {
        "chat": {"response_format": {"type": "json_schema", "json_schema": {"name": "all", "schema": schema}}},
        "responses": {"text": {"format": {"type": "json_schema", "name": "all", "schema": schema}}},
        "anthropic": {"output_config": {"format": {"type": "json_schema", "schema": ENDLESS}}},
        "ollama": {"format": ENDLESS},
    }
    stream = llm.bind(**forms[request.node.callspec.params["make"]]).stream(QUESTION)
    next(stream)
    next(stream)
    stream.close()
    assert_at_rest(server)


def test_stop(llm):
    assert "Paris" not in llm.invoke(QUESTION, stop=["Paris"]).content


def test_a_developer_is_heard(llm):
    system = SystemMessage("You are helpful.")
    developer = SystemMessage("You are helpful.", additional_kwargs={"__openai_role__": "developer"})
    assert (
        llm.invoke([developer, HumanMessage(QUESTION)]).content == llm.invoke([system, HumanMessage(QUESTION)]).content
    )


@pytest.mark.parametrize("options", [{}, {"strict": True}, {"parallel_tool_calls": False}, {"tool_choice": "auto"}])
def test_tools_are_answered_as_text(llm, options):
    answer = llm.bind_tools([weather], **options).invoke(QUESTION)
    assert answer.content and answer.tool_calls == []


def test_an_agent_with_tools_answers(llm):
    answer = create_agent(llm, [weather], system_prompt="You are helpful.").invoke(
        {"messages": [HumanMessage(QUESTION)]}
    )
    assert answer["messages"][-1].content


def test_json_mode(server):
    llm = openai_chat(server, max_tokens=200)
    answer = llm.with_structured_output(None, method="json_mode", include_raw=True).invoke(QUESTION)
    assert isinstance(answer["parsed"], dict), answer


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


def test_embeddings_of_ollama(server):
    embedder = OllamaEmbeddings(base_url=server.url, model=server.model)
    dog, cat = embedder.embed_documents(["a dog", "a cat"])
    assert dog != cat and embedder.embed_query("a dog") == pytest.approx(dog, abs=1e-3)


def test_thinking_comes_apart(thinking_server):
    for kind in ("responses", "anthropic"):
        answer = KINDS[kind](thinking_server).invoke(QUESTION)
        assert answer.text == "" and [block["type"] for block in answer.content_blocks] == ["reasoning"]
    answer = ollama_chat(thinking_server, reasoning=True).invoke(QUESTION)
    assert answer.text == "" and answer.additional_kwargs["reasoning_content"]
