"""Ollama's client for Python, and what Open WebUI asks, on a real chat model."""

import httpx
import ollama
import pytest
from pydantic import BaseModel

from asking import CITY, CLOCK, ENDLESS, HELLO, QUESTION, WEATHER, is_city
from conftest import assert_at_rest

GREEDY = {"temperature": 0, "num_predict": 12}


class City(BaseModel):
    city: str


@pytest.fixture(scope="module")
def client(server):
    return ollama.Client(host=server.url, timeout=120)


@pytest.fixture
def ask(client, server):
    """Asks for a few tokens, greedily; returns the whole answer."""

    def ask(messages=HELLO, options=GREEDY, **more):
        return client.chat(model=server.model, messages=messages, options=options, **more)

    return ask


def test_models(client, server):
    [model] = client.list().models
    assert model.model == server.model and model.size > 0
    [running] = client.ps().models
    assert running.model == server.model and running.context_length > 0
    for name in (server.model, f"{server.model}:latest"):
        shown = client.show(name)
        assert "completion" in shown.capabilities
        assert shown.modelinfo["general.architecture"] == shown.details.family
    with pytest.raises(ollama.ResponseError) as caught:
        client.show("llama3")
    assert caught.value.status_code == 404 and "llama3" in caught.value.error


def test_chat(ask, server):
    answer = ask()
    assert answer.model == server.model
    assert "Paris" in answer.message.content
    assert (answer.done, answer.done_reason) == (True, "stop")
    assert answer.eval_count > 0 and answer.prompt_eval_count > 0 and answer.total_duration > 0


def test_stream_is_the_same_answer(ask):
    pieces = list(ask(stream=True))
    assert len(pieces) > 2 and pieces[-1].done
    assert "".join(piece.message.content for piece in pieces) == ask().message.content


def test_generate(client, server):
    options = {"model": server.model, "prompt": QUESTION, "options": GREEDY}
    whole = client.generate(**options)
    assert "Paris" in whole.response
    assert "".join(piece.response for piece in client.generate(**options, stream=True)) == whole.response
    assert client.generate(**options, system="Answer every question in French.").response != whole.response
    raw = client.generate(**{**options, "prompt": "The capital of France is"}, raw=True)
    assert raw.prompt_eval_count < whole.prompt_eval_count
    assert client.generate(model=server.model, prompt="").done_reason == "load"


def test_limit_and_stop(ask):
    assert ask(options={**GREEDY, "num_predict": 2}).done_reason == "length"
    stopped = ask(options={**GREEDY, "stop": ["Paris"]})
    assert stopped.done_reason == "stop" and "Paris" not in stopped.message.content


def test_seed(ask):
    drawn = {"temperature": 1.0, "num_predict": 16}
    texts = [ask(options={**drawn, "seed": seed}).message.content for seed in (7, 7, 8, 9, 10)]
    assert texts[0] == texts[1] and len(set(texts)) > 1


def test_tools_are_offered(ask):
    answer = ask(tools=[WEATHER, CLOCK])
    assert answer.message.content or answer.message.tool_calls


def test_a_function_is_a_tool(ask):
    def weather(city: str) -> str:
        """Says what the weather is.

        Args:
            city: Where.
        """
        return f"sunny in {city}"

    assert ask(tools=[weather]).message


@pytest.mark.parametrize(
    "result", [{"tool_name": "weather"}, {"tool_call_id": "c1"}, {}], ids=["name", "id", "neither"]
)
def test_results_are_read(client, ask, result):
    call = {"id": "c1", "function": {"name": "weather", "arguments": {"city": "Paris"}}}
    messages = [
        *HELLO,
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "sunny", **result},
    ]
    assert ask(messages, tools=[WEATHER]).message.content


def test_schemas(ask):
    options = {**GREEDY, "num_predict": 64}
    assert is_city(City.model_validate_json(ask(format=CITY, options=options).message.content).model_dump())
    pieces = [piece.message.content for piece in ask(format=CITY, options=options, stream=True)]
    assert City.model_validate_json("".join(pieces))
    bounded = City.model_json_schema()
    answer = ask(format=bounded, options=options)
    assert answer.done_reason == "length" or City.model_validate_json(answer.message.content)


@pytest.mark.parametrize("think", [True, False, "low", "medium", "high"])
def test_a_model_without_thinking_does_not_mind(ask, think):
    answer = ask(think=think)
    assert answer.message.content and not answer.message.thinking


def test_thinking_comes_apart(thinking_server):
    client = ollama.Client(host=thinking_server.url, timeout=120)
    options = {"model": thinking_server.model, "messages": HELLO, "options": GREEDY}
    answer = client.chat(**options, think=True)
    assert answer.message.thinking and not answer.message.content
    pieces = list(client.chat(**options, think=True, stream=True))
    assert "".join(piece.message.thinking or "" for piece in pieces) == answer.message.thinking
    silent = client.chat(**options, think=False)
    assert silent.message.content and not silent.message.thinking
    again = [*HELLO, answer.message, *HELLO]
    assert client.chat(**{**options, "messages": again}).message


def test_logprobs_are_refused(ask):
    with pytest.raises(ollama.ResponseError, match="logprobs") as caught:
        ask(logprobs=True)
    assert caught.value.status_code == 400


def test_embeddings(client, server):
    embedded = client.embed(model=server.model, input=["a dog", "a cat"])
    assert len(embedded.embeddings) == 2 and embedded.embeddings[0] != embedded.embeddings[1]
    [one] = client.embed(model=server.model, input="a dog").embeddings
    assert one == pytest.approx(embedded.embeddings[0], abs=1e-3)
    assert client.embeddings(model=server.model, prompt="a dog").embedding == pytest.approx(one, abs=1e-3)


@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_typed(client, server, ask, stream):
    def failed(**options):
        with pytest.raises(ollama.ResponseError) as caught:
            answer = client.chat(**{"model": server.model, "messages": HELLO, "stream": stream, **options})
            list(answer)
        return caught.value.status_code, caught.value.error

    status, error = failed(model="llama3")
    assert status == 404 and "llama3" in error
    status, error = failed(options={"temperature": -1})
    assert status == 400 and "temperature" in error
    status, error = failed(messages=[{"role": "user", "content": "walrus " * 9000}])
    assert status == 400 and "context" in error
    status, error = failed(messages=[{"role": "user", "content": "a", "images": ["iVBORw0KGgo="]}])
    assert status == 400 and "image" in error
    status, error = failed(format={"uniqueItems": True})
    assert status == 400 and "uniqueItems" in error


@pytest.mark.parametrize("act", ["pull", "push", "delete", "create", "copy"])
def test_what_would_change_models_is_refused(client, server, act):
    arguments = {"copy": (server.model, "other")}.get(act, ("llama3",))
    with pytest.raises(ollama.ResponseError) as caught:
        getattr(client, act)(*arguments)
    assert caught.value.status_code in (404, 405) and caught.value.error


def test_a_stream_that_is_left_ends(client, server):
    stream = client.chat(model=server.model, messages=HELLO, format=ENDLESS, options={"num_predict": 8000}, stream=True)
    next(stream)
    stream.close()
    assert_at_rest(server)


def test_a_key_may_be_sent(server):
    client = ollama.Client(host=server.url, headers={"Authorization": "Bearer unused"})
    assert client.chat(model=server.model, messages=HELLO, options=GREEDY).message.content


# What Open WebUI asks, of a server of either kind.


def test_the_root_says_what_is_looked_for(http):
    assert http.get("/").text == "Ollama is running"
    assert http.head("/").status_code == 200


def test_open_webui_finds_models(http, server):
    bearer = {"authorization": "Bearer unused"}
    for path in ("/v1/models", "/models"):
        assert [model["id"] for model in http.get(path, headers=bearer).json()["data"]] == [server.model]
    tagged = http.get("/api/tags", headers=bearer).json()["models"]
    for model in tagged:
        # It tells models apart by these, and shows them.
        assert model["name"] and model["model"] and model["digest"] and model["details"]["parameter_size"]
    # It compares versions, part by part.
    version = http.get("/api/version", headers=bearer).json()["version"]
    assert all(part.isdigit() for part in version.split("-")[0].split("."))
    for model in http.get("/api/ps", headers=bearer).json()["models"]:
        assert model["name"] and model["expires_at"]


def test_models_are_listed_while_an_answer_is_computed(client, http, server):
    stream = client.chat(model=server.model, messages=HELLO, format=ENDLESS, options={"num_predict": 8000}, stream=True)
    next(stream)
    assert httpx.get(f"{server.url}/v1/models", timeout=2).status_code == 200
    assert httpx.get(f"{server.url}/api/tags", timeout=2).status_code == 200
    stream.close()
