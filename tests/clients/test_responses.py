"""The official client for Python with its newer dialect, and what Codex sends, on a real chat model."""

import json
import time

import openai
import pytest
from pydantic import BaseModel

from asking import CITY, ENDLESS, HELLO, QUESTION, is_city
from conftest import assert_at_rest, serve
from shapes import events

WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "Says what the weather is.",
    "parameters": CITY,
    "strict": True,
}
CLOCK = {
    "type": "function",
    "name": "clock",
    "description": "Says what time it is.",
    "parameters": CITY,
    "strict": True,
}
PATCH = {"type": "custom", "name": "patch", "description": "Applies a patch."}


class City(BaseModel):
    city: str


def client_of(server):
    return openai.OpenAI(base_url=server.base_url, api_key="unused", max_retries=0, timeout=120)


@pytest.fixture(scope="module")
def client(server):
    return client_of(server)


@pytest.fixture
def ask(client, server):
    """Asks for a few tokens, greedily; returns the whole answer."""

    def ask(asked=QUESTION, **options):
        options = {"max_output_tokens": 16, "temperature": 0, **options}
        return client.responses.create(model=server.model, input=asked, **options)

    return ask


def test_response(ask, server):
    response = ask()
    assert "Paris" in response.output_text
    assert (response.status, response.model, response.error) == ("completed", server.model, None)
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert response.usage.output_tokens_details.reasoning_tokens == 0
    assert ask(HELLO).output_text == response.output_text


def test_stream_is_the_same_answer(client, server, ask):
    with client.responses.stream(model=server.model, input=QUESTION, max_output_tokens=16, temperature=0) as stream:
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
        response = stream.get_final_response()
    assert len(pieces) > 2
    assert "".join(pieces) == response.output_text == ask().output_text


def test_limit(ask):
    response = ask(max_output_tokens=2)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    # Half an item is no whole one.
    assert [item.status for item in response.output] == ["incomplete"]


def test_instructions_are_heard(ask):
    text = "Answer every question in French."
    answer = ask(instructions=text, max_output_tokens=24)
    assert answer.instructions == text
    for role in ("system", "developer"):
        again = ask([{"role": role, "content": text}, *HELLO], max_output_tokens=24)
        assert again.output_text == answer.output_text


def test_auto_is_an_answer(ask):
    assert ask(tools=[WEATHER, CLOCK, PATCH]).output


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "clock"}])
def test_a_call_that_must_happen_happens(ask, choice):
    response = ask(tools=[WEATHER, CLOCK], tool_choice=choice, parallel_tool_calls=False, max_output_tokens=160)
    assert response.status == "completed"
    [call] = response.output
    assert call.type == "function_call" and is_city(json.loads(call.arguments))
    if choice != "required":
        assert call.name == "clock"


def test_allowed_tools(ask):
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "clock"}]}
    response = ask(tools=[WEATHER, CLOCK], tool_choice=choice, parallel_tool_calls=False, max_output_tokens=160)
    assert response.output[0].name == "clock"


def test_a_custom_tool_gets_text(ask):
    response = ask(tools=[WEATHER, PATCH], tool_choice={"type": "custom", "name": "patch"}, max_output_tokens=200)
    call = response.output[0]
    assert (call.type, call.name) == ("custom_tool_call", "patch")
    assert response.status == "incomplete" or not call.input.startswith("{")


@pytest.mark.parametrize("output", ["sunny", [{"type": "input_text", "text": "sunny"}]])
def test_results_are_read(ask, output):
    asked = [
        *HELLO,
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Paris"}'},
        {"type": "function_call_output", "call_id": "c1", "output": output},
    ]
    assert ask(asked, tools=[WEATHER]).output_text
    with pytest.raises(openai.BadRequestError, match="call_id"):
        ask([*HELLO, asked[2]], tools=[WEATHER])


def test_an_answer_goes_back_as_it_came(ask):
    """Whatever a response holds may be sent with the next question, the identifiers too."""
    first = ask(tools=[WEATHER], tool_choice="required", parallel_tool_calls=False, max_output_tokens=160)
    result = {"type": "function_call_output", "call_id": first.output[0].call_id, "output": "sunny"}
    second = ask([*HELLO, *first.output, result], tools=[WEATHER])
    assert second.output
    assert ask([*HELLO, *first.output, result, *second.output, *HELLO]).output


def test_schemas(client, server, ask):
    form = {"type": "json_schema", "name": "city", "schema": CITY, "strict": True}
    assert City.model_validate_json(ask(text={"format": form}, max_output_tokens=64).output_text)
    parsed = client.responses.parse(model=server.model, input=QUESTION, text_format=City, max_output_tokens=200)
    assert parsed.status == "incomplete" or isinstance(parsed.output_parsed, City)
    assert json.loads(ask(text={"format": {"type": "json_object"}}, max_output_tokens=200).output_text)


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh"])
def test_a_model_without_thinking_does_not_mind(ask, effort):
    response = ask(reasoning={"effort": effort, "summary": "auto"}, include=["reasoning.encrypted_content"])
    assert [item.type for item in response.output] == ["message"]


def test_thinking_comes_as_items(thinking_server):
    client = client_of(thinking_server)
    options = {"model": thinking_server.model, "max_output_tokens": 12, "temperature": 0}
    response = client.responses.create(input=QUESTION, **options)
    assert [item.type for item in response.output] == ["reasoning"]
    assert response.usage.output_tokens_details.reasoning_tokens > 0
    kinds = {event.type for event in client.responses.create(input=QUESTION, stream=True, **options)}
    assert "response.reasoning_text.delta" in kinds
    silent = client.responses.create(input=QUESTION, reasoning={"effort": "none"}, **options)
    assert [item.type for item in silent.output] == ["message"]
    assert client.responses.create(input=[*HELLO, *response.output, *silent.output, *HELLO], **options).output


def test_logprobs_are_refused_by_name_or_listed(client, server, ask):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(top_logprobs=2)
    assert caught.value.param == "top_logprobs"
    raw = client.responses.with_raw_response.create(
        model=server.model, input=QUESTION, max_output_tokens=2, include=["message.output_text.logprobs"]
    )
    assert any(name.startswith("include") for name in raw.headers["x-stack-ignored"].split(", "))


def test_count(client, server, ask):
    count = client.responses.input_tokens.count(model=server.model, input=QUESTION)
    assert count.input_tokens == ask().usage.input_tokens


REFUSED = {
    "previous_response_id": "resp_1",
    "conversation": "conv_1",
    "background": True,
    "prompt": {"id": "pmpt_1"},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_have_to_be_stored_is_refused_by_name(ask, name):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(**{name: REFUSED[name]})
    assert caught.value.param == name
    assert caught.value.code == "unsupported_parameter"


def test_what_was_not_stored_is_not_found(client):
    for asked in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError, match="--stored-responses"):
            asked("resp_1")


@pytest.fixture(scope="module")
def storing():
    """A server that stores responses."""
    with serve("--stored-responses", "8") as server:
        yield server


def test_a_stored_response_is_found_continued_and_deleted(storing):
    client = client_of(storing)
    options = {"model": storing.model, "max_output_tokens": 16, "temperature": 0}
    first = client.responses.create(input=QUESTION, **options)
    assert first.store and client.responses.retrieve(first.id) == first
    [item] = client.responses.input_items.list(first.id).data
    assert (item.role, item.content[0].text) == ("user", QUESTION)
    second = client.responses.create(input="And of Italy?", previous_response_id=first.id, **options)
    whole = client.responses.create(input=[*HELLO, *first.output, {"role": "user", "content": "And of Italy?"}], **options)
    assert second.previous_response_id == first.id and second.output_text == whole.output_text
    items = client.responses.input_items.list(second.id, order="asc", limit=2)
    assert [item.role for item in items] == ["user", "assistant", "user"], "the pages follow each other"
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(input="And now?", previous_response_id=first.id, **options)
    assert caught.value.param == "previous_response_id"


def test_an_item_may_stand_for_itself(storing):
    client = client_of(storing)
    options = {"model": storing.model, "max_output_tokens": 16, "temperature": 0}
    first = client.responses.create(input=QUESTION, **options)
    reference = {"type": "item_reference", "id": first.output[0].id}
    again = client.responses.create(input=[*HELLO, reference, *HELLO], **options)
    whole = client.responses.create(input=[*HELLO, *first.output, *HELLO], **options)
    assert again.output_text == whole.output_text


def test_a_response_is_made_in_the_background(storing):
    client = client_of(storing)
    options = {"model": storing.model, "temperature": 0, "background": True}
    response = client.responses.create(input=QUESTION, max_output_tokens=16, **options)
    assert response.status == "in_progress" and response.background
    deadline = time.monotonic() + 60
    while response.status == "in_progress" and time.monotonic() < deadline:
        time.sleep(0.1)
        response = client.responses.retrieve(response.id)
    assert response.status == "completed" and "Paris" in response.output_text
    form = {"format": {"type": "json_schema", "name": "all", "schema": ENDLESS, "strict": True}}
    endless = client.responses.create(input=QUESTION, text=form, max_output_tokens=8000, **options)
    assert client.responses.cancel(endless.id).status == "cancelled"
    assert_at_rest(storing)
    with pytest.raises(openai.BadRequestError, match="background"):
        waited = client.responses.create(input=QUESTION, max_output_tokens=2, model=storing.model)
        client.responses.cancel(waited.id)


def test_errors_are_typed(client, server, ask):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(temperature=-1)
    assert caught.value.param == "temperature"
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="gpt-5", input="Hi")
    with pytest.raises(openai.BadRequestError) as caught:
        ask("walrus " * 9000)
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError, match="image"):
        ask([{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}]}])


def test_a_stream_that_is_left_ends(client, server):
    form = {"format": {"type": "json_schema", "name": "all", "schema": ENDLESS, "strict": True}}
    stream = client.responses.create(model=server.model, input=QUESTION, text=form, max_output_tokens=8000, stream=True)
    for event in stream:
        if event.type == "response.output_text.delta":
            break
    stream.close()
    assert_at_rest(server)


# What Codex does.

CODEX = {
    "instructions": "You are Codex.",
    "input": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "<permissions>"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "ls"}]},
        {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA", "content": None},
        {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "*** Begin Patch"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "Success"},
    ],
    "tools": [WEATHER, PATCH, {"type": "web_search", "external_web_access": False}, {"type": "local_shell"}],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "019",
    "text": {"verbosity": "medium"},
    "client_metadata": {"x": "y"},
}


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_codex_is_served(http, server, choice):
    # It sets no limit; the test does.
    body = {
        **CODEX,
        "model": server.model,
        "tool_choice": choice,
        "max_output_tokens": 400,
        "parallel_tool_calls": False,
    }
    headers = {
        "authorization": "Bearer unused",
        "accept": "text/event-stream",
        "session_id": "019",
        "originator": "codex_cli_rs",
    }
    reply = http.post("/v1/responses", json=body, headers=headers)
    assert reply.status_code == 200, reply.text
    *frames, mark = events(reply.text)
    assert mark == (None, "[DONE]")
    parsed = [json.loads(data) for _, data in frames]
    items = [event["item"] for event in parsed if event["type"] == "response.output_item.done"]
    last = parsed[-1]
    assert last["type"] in ("response.completed", "response.incomplete")
    assert last["response"]["id"] == parsed[0]["response"]["id"]
    assert {"input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details", "total_tokens"} == set(
        last["response"]["usage"]
    )
    assert items == last["response"]["output"]
    for item in items:
        assert item["type"] in ("message", "reasoning", "function_call", "custom_tool_call")
        assert item["type"] != "custom_tool_call" or isinstance(item["input"], str)


def test_codex_learns_why(http, server):
    """It knows an error by its code, and waits as long as the text says."""
    body = {**CODEX, "model": server.model, "input": "walrus " * 9000}
    reply = http.post("/v1/responses", json=body)
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "context_length_exceeded"
