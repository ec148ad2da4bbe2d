"""The list of models, health and what else describes the server."""

import openai
import pytest


def test_models_are_listed_and_retrieved(client):
    models = client.models.list().data
    assert models
    for model in models:
        assert model.object == "model"
        assert client.models.retrieve(model.id).id == model.id


def test_unnamed_model_is_default(model):
    assert model == "default"


def test_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("no-such-model")
    assert caught.value.code == "model_not_found"
    for part in ("no-such-model", '"default"', "--alias NAME", "--any-model"):
        assert part in caught.value.message


@pytest.mark.parametrize("path", ["/health", "/v1/health", "/live", "/ready"])
def test_server_is_healthy(client, base_url, path):
    assert client._client.get(base_url + path).status_code == 200


def test_metrics_count_what_was_served(client, model, base_url):
    client.completions.create(model=model, prompt="Once upon a time", max_tokens=4)
    text = client._client.get(f"{base_url}/metrics").text
    for name in ("stack_time_to_first_token_seconds", "stack_inter_token_latency_seconds"):
        assert f"{name}_bucket" in text, text
    assert "stack_generated_tokens_total" in text


def test_openapi_names_the_routes(client, base_url):
    paths = client._client.get(f"{base_url}/openapi.json").json()["paths"]
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models"):
        assert path in paths
