"""Anthropic's client for Python, and what Claude Code sends, on a real chat model."""

import anthropic
import pytest
from pydantic import BaseModel

from asking import CITY, ENDLESS, HELLO, is_city
from conftest import assert_at_rest

WEATHER = {"name": "weather", "description": "Says what the weather is.", "input_schema": CITY}
CLOCK = {"name": "clock", "description": "Says what time it is.", "input_schema": CITY}


# The client has no parameter for it any more; the first version of the dialect has.
GREEDY = {"temperature": 0}


class City(BaseModel):
    city: str


def client_of(server, **options):
    return anthropic.Anthropic(base_url=server.url, max_retries=0, timeout=120, **{"api_key": "unused", **options})


@pytest.fixture(scope="module")
def client(server):
    return client_of(server)


@pytest.fixture
def ask(client, server):
    """Asks for a few tokens, greedily; returns the whole answer."""

    def ask(messages=HELLO, **options):
        options = {"max_tokens": 12, "extra_body": GREEDY, **options}
        return client.messages.create(model=server.model, messages=messages, **options)

    return ask


def text_of(message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def test_models(client, server):
    [model] = client.models.list()
    assert model.id == server.model == client.models.retrieve(server.model).id
    assert model.lifecycle == "active"
    with pytest.raises(anthropic.NotFoundError, match="claude-sonnet-4-5"):
        client.models.retrieve("claude-sonnet-4-5")


def test_message(ask, server):
    message = ask()
    assert message.model == server.model
    assert "Paris" in text_of(message)
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens + message.usage.cache_read_input_tokens > 0
    assert message._request_id


def test_stream_is_the_same_answer(client, server, ask):
    with client.messages.stream(model=server.model, messages=HELLO, max_tokens=12, extra_body=GREEDY) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()
    assert len(pieces) > 2
    whole = ask()
    assert "".join(pieces) == text_of(message) == text_of(whole)
    assert message.stop_reason == whole.stop_reason
    assert message.usage.output_tokens == whole.usage.output_tokens


def test_limit_and_stop(ask):
    assert ask(max_tokens=2).stop_reason == "max_tokens"
    message = ask(stop_sequences=["Paris"])
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "Paris")
    assert "Paris" not in text_of(message)


def test_instructions_are_heard(ask):
    text = "Answer every question in French."
    blocks = [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]
    answer = text_of(ask(system=text, max_tokens=24))
    assert text_of(ask(system=blocks, max_tokens=24)) == answer != text_of(ask(max_tokens=24))


def test_auto_is_an_answer(ask):
    message = ask(tools=[WEATHER, CLOCK], tool_choice={"type": "auto"})
    assert message.stop_reason in ("end_turn", "max_tokens", "tool_use")
    assert message.content


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "clock"}])
def test_a_call_that_must_happen_happens(ask, choice):
    choice = {**choice, "disable_parallel_tool_use": True}
    message = ask(tools=[WEATHER, CLOCK], tool_choice=choice, max_tokens=160)
    assert message.stop_reason == "tool_use"
    [call] = message.content
    assert call.type == "tool_use" and is_city(call.input)
    assert call.name == choice.get("name", call.name)


def test_parallel_calls_stream_one_after_the_other(client, server):
    with client.messages.stream(
        model=server.model,
        messages=HELLO,
        tools=[WEATHER, CLOCK],
        tool_choice={"type": "any"},
        max_tokens=200,
        extra_body=GREEDY,
    ) as stream:
        message = stream.get_final_message()
    calls = [block for block in message.content if block.type == "tool_use"]
    assert calls and all(is_city(call.input) for call in calls[:1])
    assert len({call.id for call in calls}) == len(calls)


def conversation(result):
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Paris"}}
    return [*HELLO, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]


@pytest.mark.parametrize("content", ["sunny", [{"type": "text", "text": "sunny"}]])
@pytest.mark.parametrize("is_error", [False, True])
def test_results_are_read(ask, content, is_error):
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": content, "is_error": is_error}
    assert text_of(ask(conversation(result), tools=[WEATHER]))


def test_a_result_without_its_call_is_refused(ask):
    result = {"type": "tool_result", "tool_use_id": "toolu_2", "content": "sunny"}
    with pytest.raises(anthropic.BadRequestError, match="tool_use_id"):
        ask(conversation(result), tools=[WEATHER])


def test_a_tool_runner_runs(client, server):
    """The client's own loop: it calls the function and sends back what it returned."""
    seen = []

    @anthropic.beta_tool
    def weather(city: str) -> str:
        """Says what the weather is.

        Args:
            city: Where.
        """
        seen.append(city)
        return "sunny"

    runner = client.beta.messages.tool_runner(
        model=server.model,
        max_tokens=64,
        messages=HELLO,
        tools=[weather],
        tool_choice={"type": "tool", "name": "weather"},
        max_iterations=1,
    )
    for message in runner:
        assert message.stop_reason in ("tool_use", "max_tokens")


def test_schemas(client, server, ask):
    message = ask(output_config={"format": {"type": "json_schema", "schema": CITY}}, max_tokens=64)
    assert City.model_validate_json(text_of(message))
    parsed = client.messages.parse(model=server.model, messages=HELLO, max_tokens=200, output_format=City)
    assert parsed.stop_reason == "max_tokens" or isinstance(parsed.parsed_output, City)


@pytest.mark.parametrize(
    "thinking",
    [{"type": "adaptive"}, {"type": "disabled"}, {"type": "enabled", "budget_tokens": 1024}],
    ids=lambda thinking: thinking["type"],
)
def test_a_model_without_thinking_does_not_mind(ask, thinking):
    message = ask(thinking=thinking, max_tokens=2048, stop_sequences=["."])
    assert {block.type for block in message.content} == {"text"}


def test_thinking_comes_as_blocks(thinking_server):
    options = {"model": thinking_server.model, "messages": HELLO, "max_tokens": 12}
    client = client_of(thinking_server)
    message = client.messages.create(**options)
    assert [block.type for block in message.content] == ["thinking"]
    assert message.usage.output_tokens_details.thinking_tokens > 0
    with client.messages.stream(**options) as stream:
        kinds = {event.type for event in stream}
        assert stream.get_final_message().content[0].type == "thinking"
    assert "thinking" in kinds
    silent = client.messages.create(**options, thinking={"type": "disabled"})
    assert [block.type for block in silent.content] == ["text"]
    # What it thought goes back with the conversation.
    again = [*HELLO, {"role": "assistant", "content": [*message.content, {"type": "text", "text": "Paris."}]}, *HELLO]
    assert client.messages.create(**{**options, "messages": again}).content


def test_a_conversation_that_began_elsewhere_goes_on(ask):
    """Signatures, redacted thoughts and citations are another provider's; marks are wishes. None says anything here."""
    mark = {"type": "ephemeral", "ttl": "1h"}
    citation = {
        "type": "char_location",
        "cited_text": "Paris",
        "document_index": 0,
        "document_title": None,
        "start_char_index": 0,
        "end_char_index": 5,
    }
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Paris"}, "cache_control": mark}
    said = [
        {"type": "redacted_thinking", "data": "EmwKAhgB"},
        {"type": "thinking", "thinking": "Paris, surely.", "signature": "EqoBCkgIARAB"},
        {"type": "text", "text": "I look it up.", "citations": [citation]},
        call,
    ]
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny", "cache_control": mark}
    turns = [{"role": "assistant", "content": said}, {"role": "user", "content": [result]}]
    answer = ask([*HELLO, *turns], tools=[WEATHER])
    plain = [
        {"role": "assistant", "content": [said[2] | {"citations": None}, call]},
        {"role": "user", "content": [{**result, "cache_control": None}]},
    ]
    assert text_of(answer) == text_of(ask([*HELLO, *plain], tools=[WEATHER]))


def test_count_tokens(client, server, ask):
    count = client.messages.count_tokens(model=server.model, messages=HELLO).input_tokens
    usage = ask(max_tokens=1).usage
    assert count == usage.input_tokens + usage.cache_read_input_tokens
    more = client.messages.count_tokens(model=server.model, messages=HELLO, system="Be brief. " * 30, tools=[WEATHER])
    assert more.input_tokens > count


def test_errors_are_typed(client, server, ask):
    with pytest.raises(anthropic.BadRequestError) as caught:
        ask(max_tokens=0)
    assert caught.value.body["error"]["type"] == "invalid_request_error"
    assert "max_tokens" in caught.value.body["error"]["message"]
    assert caught.value.request_id == caught.value.body["request_id"]
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.messages.create(model="claude-sonnet-4-5", messages=HELLO, max_tokens=1)
    assert caught.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long: [0-9]+ tokens > [0-9]+ maximum"):
        ask([{"role": "user", "content": "walrus " * 9000}])
    with pytest.raises(anthropic.BadRequestError, match="tools"):
        ask(tools=[{"type": "web_search_20250305", "name": "web_search"}])


def test_pictures_are_refused(ask):
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    with pytest.raises(anthropic.BadRequestError, match="image"):
        ask([{"role": "user", "content": [{"type": "image", "source": source}]}])


def test_a_stream_that_is_left_ends(client, server):
    form = {"format": {"type": "json_schema", "schema": ENDLESS}}
    stream = client.messages.create(
        model=server.model, messages=HELLO, max_tokens=8000, output_config=form, stream=True
    )
    for event in stream:
        if event.type == "content_block_delta":
            break
    stream.close()
    assert_at_rest(server)


@pytest.mark.parametrize(
    "options", [{"api_key": "k"}, {"api_key": None, "auth_token": "k"}], ids=["x-api-key", "Bearer"]
)
def test_both_headers(server, options):
    client = client_of(server, **options)
    assert client.messages.create(model=server.model, messages=HELLO, max_tokens=1).content
    assert list(client.models.list())


# What Claude Code does.


def test_the_probe_is_answered(http):
    reply = http.head("/")
    assert reply.status_code == 200 and reply.text == ""


CODE = {
    "max_tokens": 16,
    "stream": True,
    "metadata": {"user_id": "user_1_account__session_2"},
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.0; cc_entrypoint=cli;"},
        {"type": "text", "text": "You are Claude Code.", "cache_control": {"type": "ephemeral"}},
    ],
    "messages": [
        {
            "role": "user",
            "content": [{"type": "text", "text": "ls", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        }
    ],
    "tools": [{**WEATHER, "cache_control": {"type": "ephemeral"}, "eager_input_streaming": True}, CLOCK],
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "high"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "a_field_of_tomorrow": {"x": 1},
}


def test_a_coding_agent_is_served(http, server):
    headers = {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
        "authorization": "Bearer unused",
        "x-app": "cli",
    }
    reply = http.post("/v1/messages?beta=true", json={**CODE, "model": server.model}, headers=headers)
    assert reply.status_code == 200, reply.text
    assert reply.text.rstrip().endswith('{"type":"message_stop"}')
    ignored = reply.headers["x-stack-ignored"].split(", ")
    assert {"a_field_of_tomorrow", "context_management", "metadata", "messages[].content[].cache_control"} <= set(
        ignored
    )
    count = {name: CODE[name] for name in ("system", "messages", "tools", "thinking")}
    reply = http.post("/v1/messages/count_tokens?beta=true", json={**count, "model": server.model}, headers=headers)
    assert reply.status_code == 200 and reply.json()["input_tokens"] > 0
