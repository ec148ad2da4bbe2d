"""Refusals, as the exceptions that the official client makes of them."""

import openai
import pytest

STORY = [{"role": "user", "content": "Tell me a story about a dog."}]


def test_unknown_model(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="no-such-model", messages=STORY)
    assert caught.value.code == "model_not_found"
    assert "no-such-model" in caught.value.message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -1),
        ("temperature", "warm"),
        ("top_p", 1.5),
        ("n", 0),
        ("n", 1_000_000),
        ("max_tokens", 0),
        ("max_tokens", -2),
        ("max_tokens", 10**30),
        ("n_predict", 0),
        ("seed", "seven"),
        ("stop", 5),
        ("stop", ["x"] * 1000),
        ("presence_penalty", 3),
        ("frequency_penalty", -3),
        ("logit_bias", {"not-a-token": 1}),
        ("top_logprobs", 21),
        ("stream_options", "yes"),
        ("messages", []),
        ("messages", "hello"),
    ],
)
def test_wrong_value_is_refused_by_name(client, model, field, value):
    extra = {"logprobs": True} if field == "top_logprobs" else {}
    body = {"messages": STORY, **extra, field: value}
    messages = body.pop("messages")
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=messages, extra_body=body)
    assert caught.value.type == "invalid_request_error"
    assert caught.value.param and caught.value.param.startswith(field), caught.value.body


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tool_choice", "required"),
        ("modalities", ["text", "audio"]),
    ],
)
def test_what_cannot_be_honoured_is_refused(client, model, field, value):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=STORY, extra_body={field: value})
    assert caught.value.param.startswith(field)


def test_byte_order_mark_is_named(client, base_url):
    reply = client._client.post(f"{base_url}/v1/chat/completions", content=b'\xef\xbb\xbf{"messages": []}')
    assert reply.status_code == 400
    assert "byte order mark" in reply.json()["error"]["message"]


def test_unknown_parameter_is_reported(client, model):
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=STORY, max_tokens=1, extra_body={"frobnicate": 1}
    )
    assert "frobnicate" in raw.headers["x-stack-ignored"]


@pytest.mark.parametrize("stream", [False, True])
def test_prompt_beyond_the_context_is_refused(client, model, stream):
    long = [{"role": "user", "content": "the dog ran home. " * 60_000}]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=long, stream=stream)
    assert caught.value.code == "context_length_exceeded"


def test_image_is_refused(client, model):
    parts = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": parts}])
    assert caught.value.param.startswith("messages")


def test_unknown_route_has_the_same_shape(client, base_url):
    reply = client._client.get(f"{base_url}/v1/no-such-route")
    assert reply.status_code == 404
    assert reply.json()["error"]["message"]
    reply = client._client.get(f"{base_url}/v1/chat/completions")
    assert reply.status_code == 405
    assert reply.json()["error"]["message"]
