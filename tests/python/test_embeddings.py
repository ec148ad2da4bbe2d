"""Embeddings through the official client."""

import base64
import math
import struct

import openai
import pytest


def test_vectors_have_length_one(client, model):
    answer = client.embeddings.create(model=model, input=["a dog", "a cat"], encoding_format="float")
    assert answer.object == "list"
    assert [item.index for item in answer.data] == [0, 1]
    assert answer.usage.prompt_tokens > 0
    for item in answer.data:
        assert math.dist(item.embedding, [0.0] * len(item.embedding)) == pytest.approx(1, abs=1e-3)


def test_alone_and_together_are_the_same(client, model):
    alone = embed(client, model, "a dog ran home")
    together = client.embeddings.create(model=model, input=["a cat", "a dog ran home"]).data[1].embedding
    assert together == pytest.approx(alone, abs=1e-3)


def test_base64_is_the_same_vector(client, model):
    raw = client.embeddings.with_raw_response.create(model=model, input="a dog", encoding_format="base64")
    [item] = raw.http_response.json()["data"]
    data = base64.b64decode(item["embedding"])
    vector = list(struct.unpack(f"<{len(data) // 4}f", data))
    floats = client.embeddings.create(model=model, input="a dog", encoding_format="float").data[0].embedding
    assert vector == pytest.approx(floats, abs=1e-6)


def test_token_ids_are_accepted(client, model):
    one = client.embeddings.create(model=model, input=[300, 301])
    assert len(one.data) == 1
    assert one.usage.prompt_tokens == 2
    two = client.embeddings.create(model=model, input=[[300, 301], [302]])
    assert two.data[0].embedding == pytest.approx(one.data[0].embedding, abs=1e-3)


def test_token_that_does_not_exist_is_refused_by_name(client, model):
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model=model, input=[[300, 4_000_000_000]])
    assert caught.value.param == "input"


def embed(client, model, text):
    return client.embeddings.create(model=model, input=text).data[0].embedding
