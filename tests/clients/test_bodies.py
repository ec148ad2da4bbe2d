"""Every body and every event, held to the types of the clients of its dialect: see `shapes`."""

import json
from typing import Any

import anthropic.types
import ollama
import openai.types
import pytest
from openai.types import responses
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from asking import CITY, CLOCK, HELLO, QUESTION, WEATHER
from shapes import differences, events

SCHEMA = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": CITY}}

CHATS = {
    "plain": {},
    "limit": {"max_tokens": 2},
    "choices": {"n": 2},
    "stop": {"stop": ["Paris"]},
    "logprobs": {"logprobs": True, "top_logprobs": 2},
    "schema": {"response_format": SCHEMA, "max_tokens": 64},
    "tools": {"tools": [WEATHER, CLOCK], "tool_choice": "auto"},
    "required": {"tools": [WEATHER, CLOCK], "tool_choice": "required", "max_tokens": 160},
    "named": {
        "tools": [WEATHER, CLOCK],
        "tool_choice": {"type": "function", "function": {"name": "clock"}},
        "max_tokens": 96,
    },
}


CHAT_EXTRAS = ("timings", "choices.*.message.reasoning_content", "choices.*.delta.reasoning_content")


def ask(http, path: str, body: dict, status: int = 200) -> str:
    reply = http.post(path, json=body)
    assert reply.status_code == status, reply.text
    return reply.text


def chat(more: dict) -> dict:
    return {"model": "m", "messages": HELLO, "max_tokens": 12, "temperature": 0, **more}


@pytest.fixture(params=["server", "tool_server", "thinking_server"])
def http(request):
    """The server with each of the templates."""
    import httpx

    server = request.getfixturevalue(request.param)
    with httpx.Client(base_url=server.url, timeout=120) as client:
        client.model = server.model
        yield client


@pytest.mark.parametrize("name", CHATS)
def test_chat(http, name):
    body = {**chat(CHATS[name]), "model": http.model}
    assert differences(ChatCompletion, ask(http, "/v1/chat/completions", body), *CHAT_EXTRAS) == []


@pytest.mark.parametrize("usage", [False, True])
@pytest.mark.parametrize("name", CHATS)
def test_chat_stream(http, name, usage):
    body = {**chat(CHATS[name]), "model": http.model, "stream": True, "stream_options": {"include_usage": usage}}
    *chunks, (_, last) = events(ask(http, "/v1/chat/completions", body))
    assert last == "[DONE]"
    for event, chunk in chunks:
        assert event is None
        assert differences(ChatCompletionChunk, chunk, *CHAT_EXTRAS) == []
    parsed = [json.loads(chunk) for _, chunk in chunks]
    # A chunk without choices comes only to those who ask for usage, and is the last one.
    assert [index for index, chunk in enumerate(parsed) if not chunk["choices"]] == ([len(parsed) - 1] if usage else [])
    # Many join fragments by `index`; the identifier and the name come once.
    begun = set()
    for chunk in parsed:
        for choice in chunk["choices"]:
            for call in choice["delta"].get("tool_calls", []):
                assert "content" not in choice["delta"]
                assert ("id" in call) == ("name" in call["function"]) == (call["index"] not in begun)
                begun.add(call["index"])
    assert begun == set(range(len(begun)))


@pytest.mark.parametrize("more", [{}, {"logprobs": 2}, {"n": 2, "stop": ["."]}])
def test_completion(http, more):
    body = {"model": http.model, "prompt": QUESTION, "max_tokens": 4, "temperature": 0, **more}
    kind = openai.types.Completion
    assert differences(kind, ask(http, "/v1/completions", body), "timings") == []
    *chunks, (_, last) = events(ask(http, "/v1/completions", {**body, "stream": True}))
    assert last == "[DONE]"
    for _, chunk in chunks:
        # The types have no chunks of their own, and so no choice that goes on.
        ended = chunk.replace('"finish_reason":null', '"finish_reason":"stop"')
        assert differences(kind, ended, "timings") == []


def test_lists(http):
    listed = http.get("/v1/models").text
    [model] = json.loads(listed)["data"]
    for raw in (json.dumps(model), http.get(f"/v1/models/{http.model}").text):
        assert differences(openai.types.Model, raw, "status", "meta") == []
    version = {"anthropic-version": "2023-06-01"}
    listed = json.loads(http.get("/v1/models", headers=version).text)
    assert set(listed) == {"data", "has_more", "first_id", "last_id"}
    for raw in (json.dumps(listed["data"][0]), http.get(f"/v1/models/{http.model}", headers=version).text):
        assert differences(anthropic.types.ModelInfo, raw) == []
    assert differences(ollama.ListResponse, http.get("/api/tags").text, "models.*.name") == []
    assert differences(ollama.ProcessResponse, http.get("/api/ps").text) == []
    assert differences(ollama.ShowResponse, http.post("/api/show", json={"model": http.model}).text) == []


RESPONSE_TOOLS = [
    {
        "type": "function",
        "name": "weather",
        "description": "Says what the weather is.",
        "parameters": CITY,
        "strict": True,
    },
    {"type": "custom", "name": "patch", "description": "Applies a patch."},
]
RESPONSES = {
    "plain": {},
    "limit": {"max_output_tokens": 2},
    "instructions": {"instructions": "You are helpful.", "metadata": {"a": "b"}, "user": "me", "store": False},
    "schema": {
        "text": {"format": {"type": "json_schema", "name": "city", "schema": CITY, "strict": True}},
        "max_output_tokens": 64,
    },
    "tools": {"tools": RESPONSE_TOOLS},
    "required": {"tools": RESPONSE_TOOLS, "tool_choice": "required", "max_output_tokens": 160},
    "named": {"tools": RESPONSE_TOOLS, "tool_choice": {"type": "function", "name": "weather"}, "max_output_tokens": 96},
    "custom": {"tools": RESPONSE_TOOLS, "tool_choice": {"type": "custom", "name": "patch"}, "max_output_tokens": 96},
    "reasoning": {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]},
}


@pytest.mark.parametrize("name", RESPONSES)
def test_response(http, name):
    body = {"model": http.model, "input": QUESTION, "max_output_tokens": 16, "temperature": 0, **RESPONSES[name]}
    raw = ask(http, "/v1/responses", body)
    extras = ["store", "presence_penalty", "frequency_penalty", "output.*custom_tool_call.status"]
    assert differences(responses.Response, raw, *extras) == []
    whole = json.loads(raw)
    *frames, (_, mark) = events(ask(http, "/v1/responses", {**body, "stream": True}))
    assert mark == "[DONE]"
    parsed = []
    for number, (event, data) in enumerate(frames):
        parsed.append(json.loads(data))
        assert (event, number) == (parsed[-1]["type"], parsed[-1]["sequence_number"])
        inside = [f"response.{extra}" for extra in extras]
        if parsed[-1].get("item", {}).get("type") == "custom_tool_call":
            inside.append("item.status")
        assert differences(responses.ResponseStreamEvent, data, *inside) == [], event
    assert [event for event, _ in frames[:2]] == ["response.created", "response.in_progress"]
    last = parsed[-1]
    assert last["type"] == f"response.{whole['status']}"
    # What a client that only reads `output_item.done` has is what the last event says.
    done = [event["item"] for event in parsed if event["type"] == "response.output_item.done"]
    assert last["response"]["output"] == done
    assert same(last["response"]) == same(whole)


def same(response: dict) -> Any:
    """What two answers to one question have in common."""
    unlike = ("id", "created_at", "completed_at", "usage", "output")
    shown = {name: value for name, value in response.items() if name not in unlike}
    hidden = ("id", "call_id")
    output = [{name: value for name, value in item.items() if name not in hidden} for item in response["output"]]
    return shown, output


MESSAGE_TOOLS = [
    {"name": "weather", "description": "Says what the weather is.", "input_schema": CITY},
    {"name": "clock", "description": "Says what time it is.", "input_schema": CITY},
]
MESSAGES = {
    "plain": {},
    "limit": {"max_tokens": 2},
    "stop": {"stop_sequences": ["Paris"]},
    "schema": {"output_config": {"format": {"type": "json_schema", "schema": CITY}}, "max_tokens": 64},
    "tools": {"tools": MESSAGE_TOOLS},
    "required": {"tools": MESSAGE_TOOLS, "tool_choice": {"type": "any"}, "max_tokens": 160},
    "named": {"tools": MESSAGE_TOOLS, "tool_choice": {"type": "tool", "name": "clock"}, "max_tokens": 96},
    "thinking": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
}


@pytest.mark.parametrize("name", MESSAGES)
def test_message(http, name):
    body = {"model": http.model, "messages": HELLO, "max_tokens": 12, "temperature": 0, **MESSAGES[name]}
    raw = ask(http, "/v1/messages", body)
    assert differences(anthropic.types.Message, raw) == []
    whole = json.loads(raw)
    frames = events(ask(http, "/v1/messages", {**body, "stream": True}))
    for event, data in frames:
        assert event == json.loads(data)["type"]
        if event != "ping":
            assert differences(anthropic.types.RawMessageStreamEvent, data) == [], event
    begin, *_, change, stop = [json.loads(data) for event, data in frames if event != "ping"]
    assert [begin["type"], change["type"], stop["type"]] == ["message_start", "message_delta", "message_stop"]
    assert begin["message"]["usage"]["input_tokens"] > 0
    assert change["delta"]["stop_reason"] == whole["stop_reason"]
    assert change["usage"]["output_tokens"] == whole["usage"]["output_tokens"]


@pytest.mark.parametrize("older", ["2023-01-01", "2023-06-01", None])
def test_versions(http, older):
    headers = {"anthropic-version": older} if older else {}
    body = {"model": http.model, "messages": HELLO, "max_tokens": 2}
    reply = http.post("/v1/messages?beta=true", json=body, headers=headers)
    assert differences(anthropic.types.Message, reply.text) == []
    assert reply.headers["request-id"]


def test_count(http):
    body = {"model": http.model, "messages": HELLO, "tools": MESSAGE_TOOLS, "system": "You are helpful."}
    assert differences(anthropic.types.MessageTokensCount, ask(http, "/v1/messages/count_tokens", body)) == []


OLLAMA_CHATS = {
    "plain": {},
    "limit": {"options": {"num_predict": 2}},
    "stop": {"options": {"num_predict": 12, "stop": ["Paris"], "temperature": 0}},
    "json": {"format": "json", "options": {"num_predict": 48}},
    "schema": {"format": CITY, "options": {"num_predict": 64}},
    "tools": {"tools": [WEATHER, CLOCK]},
    "think": {"think": True},
    "no thinking": {"think": False},
    "effort": {"think": "low"},
    "load": {"messages": []},
}


def lines(text: str) -> list[str]:
    """Splits a stream of objects. One without any answer is, as at Ollama, no stream."""
    assert text.endswith("\n") or json.loads(text)["done_reason"] == "load"
    return text.splitlines()


@pytest.mark.parametrize("name", OLLAMA_CHATS)
def test_ollama_chat(http, name):
    body = {
        "model": http.model,
        "messages": HELLO,
        "options": {"num_predict": 12, "temperature": 0},
        **OLLAMA_CHATS[name],
    }
    assert differences(ollama.ChatResponse, ask(http, "/api/chat", {**body, "stream": False})) == []
    streamed = lines(ask(http, "/api/chat", body))
    for line in streamed:
        assert differences(ollama.ChatResponse, line) == []
    assert [json.loads(line)["done"] for line in streamed] == [False] * (len(streamed) - 1) + [True]


@pytest.mark.parametrize(
    "more", [{}, {"raw": True}, {"system": "Be brief."}, {"format": CITY}, {"think": True}, {"prompt": ""}]
)
def test_ollama_generate(http, more):
    body = {"model": http.model, "prompt": QUESTION, "options": {"num_predict": 48, "temperature": 0}, **more}
    assert differences(ollama.GenerateResponse, ask(http, "/api/generate", {**body, "stream": False})) == []
    for line in lines(ask(http, "/api/generate", body)):
        assert differences(ollama.GenerateResponse, line) == []


def test_embeddings(http):
    body = {"model": http.model, "input": ["a dog", "a cat"]}
    assert differences(openai.types.CreateEmbeddingResponse, ask(http, "/v1/embeddings", body)) == []
    assert differences(ollama.EmbedResponse, ask(http, "/api/embed", body)) == []
    old = {"model": http.model, "prompt": "a dog"}
    assert differences(ollama.EmbeddingsResponse, ask(http, "/api/embeddings", old)) == []


ERRORS = {
    "/v1/chat/completions": [
        (400, {"messages": HELLO, "temperature": -1}),
        (400, {"messages": []}),
        (404, {"messages": HELLO, "model": "gpt-4o"}),
        (400, {"messages": [{"role": "user", "content": "walrus " * 9000}]}),
    ],
    "/v1/responses": [
        (400, {"input": "Hi", "temperature": -1}),
        (400, {"input": "Hi", "previous_response_id": "resp_1"}),
        (404, {"input": "Hi", "model": "gpt-4o"}),
        (400, {"input": "walrus " * 9000}),
    ],
    "/v1/messages": [
        (400, {"messages": HELLO}),
        (400, {"messages": [], "max_tokens": 2}),
        (404, {"messages": HELLO, "max_tokens": 2, "model": "claude-sonnet-4-5"}),
        (400, {"messages": [{"role": "user", "content": "walrus " * 9000}], "max_tokens": 2}),
    ],
    "/api/chat": [
        (400, {"messages": [{"role": "user", "content": 7}]}),
        (404, {"messages": HELLO, "model": "llama3"}),
        (400, {"messages": [{"role": "user", "content": "walrus " * 9000}]}),
    ],
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ERRORS)
def test_errors(http, path, stream):
    """An error has the shape of its dialect, also where a stream was asked for."""
    for status, body in ERRORS[path]:
        raw = ask(http, path, {"stream": stream, **body}, status)
        error = json.loads(raw)
        if path == "/v1/messages":
            assert differences(anthropic.types.ErrorResponse, raw) == []
        elif path == "/api/chat":
            assert list(error) == ["error"] and isinstance(error["error"], str)
        else:
            assert list(error) == ["error"]
            assert {"message", "type", "param", "code"} <= set(error["error"])
            assert isinstance(error["error"]["code"], str) and isinstance(error["error"]["type"], str)


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/messages/nothing", "/v1/responses/r/nothing", "/api/nothing"])
def test_missing_routes(http, path):
    reply = http.post(path, json={})
    assert reply.status_code == 404
    if path.startswith("/v1/messages"):
        assert differences(anthropic.types.ErrorResponse, reply.text) == []
    elif path.startswith("/api"):
        assert isinstance(reply.json()["error"], str)
    else:
        assert reply.json()["error"]["code"] == "unknown_url"
