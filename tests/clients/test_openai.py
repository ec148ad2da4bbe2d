"""The official client for Python, on a real chat model."""

import openai
import pytest
from pydantic import BaseModel

HELLO = [{"role": "user", "content": "Name the capital of France."}]

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Says what the weather is.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


class Capital(BaseModel):
    city: str


@pytest.fixture(scope="session")
def client(server):
    return openai.OpenAI(base_url=server.base_url, api_key="unused", max_retries=0, timeout=120)


@pytest.fixture
def ask(client, server):
    """Asks for a few tokens, greedily; returns the whole answer."""

    def ask(messages=HELLO, **options):
        options = {"max_tokens": 12, "temperature": 0, **options}
        return client.chat.completions.create(model=server.model, messages=messages, **options)

    return ask


def text_of(answer) -> str:
    return answer.choices[0].message.content


def test_models(client, server):
    assert [model.id for model in client.models.list()] == [server.model]
    assert client.models.retrieve(server.model).id == server.model
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-4o")
    for part in ("gpt-4o", server.model, "--alias", "--any-model"):
        assert part in caught.value.message


def test_chat(ask, server):
    answer = ask()
    assert answer.model == server.model
    assert "Paris" in text_of(answer)
    assert "<|im_end|>" not in text_of(answer)


def test_stream_is_the_same_answer(ask):
    chunks = list(ask(stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == text_of(ask())
    assert chunks[-1].usage.completion_tokens > 0


def test_stream_helper(client, server):
    with client.chat.completions.stream(model=server.model, messages=HELLO, max_tokens=8, temperature=0) as stream:
        kinds = {event.type for event in stream}
        assert {"chunk", "content.delta", "content.done"} <= kinds
        assert text_of(stream.get_final_completion())


def test_seed(ask):
    options = {"temperature": 1.0, "max_tokens": 16}
    assert text_of(ask(seed=7, **options)) == text_of(ask(seed=7, **options))
    assert len({text_of(ask(seed=seed, **options)) for seed in range(5)}) > 1
    assert text_of(ask(seed=-1, **options))


def test_stop(ask):
    whole = text_of(ask())
    stopped = ask(stop=["Paris"])
    assert stopped.choices[0].finish_reason == "stop"
    assert text_of(stopped) == whole[: whole.index("Paris")]


@pytest.mark.parametrize("limit", [{"max_tokens": -1}, {"max_completion_tokens": -1, "max_tokens": openai.omit}])
def test_no_limit(ask, limit):
    """The answer ends by itself, or at the stop text."""
    answer = ask(stop=["."], **limit)
    assert answer.choices[0].finish_reason == "stop"


def test_habits_of_llama_server(client, server):
    """Its own names for things do what its users expect, or are listed."""
    raw = client.chat.completions.with_raw_response.create(
        model=server.model,
        messages=HELLO,
        temperature=0,
        extra_body={"n_predict": 3, "cache_prompt": True, "id_slot": -1, "top_k": -1},
    )
    assert raw.parse().usage.completion_tokens == 3
    assert "x-stack-ignored" not in raw.headers
    raw = client.chat.completions.with_raw_response.create(
        model=server.model, messages=HELLO, max_tokens=1, extra_body={"cache_prompt": False, "id_slot": 0}
    )
    assert raw.headers["x-stack-ignored"] == "cache_prompt, id_slot"


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("parallel", [False, True])
def test_tools_are_answered_as_text_and_listed(client, server, strict, parallel):
    tool = {"type": "function", "function": {**WEATHER["function"], "strict": strict}}
    raw = client.chat.completions.with_raw_response.create(
        model=server.model,
        messages=HELLO,
        max_tokens=8,
        tools=[tool],
        tool_choice="auto",
        parallel_tool_calls=parallel,
    )
    assert text_of(raw.parse())
    assert "tools" in raw.headers["x-stack-ignored"].split(", ")


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_a_call_that_must_happen_is_refused(ask, choice):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(tools=[WEATHER], tool_choice=choice)
    assert caught.value.param == "tool_choice"


def test_structured_answers_are_refused(client, server, ask):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(response_format={"type": "json_object"})
    assert caught.value.param == "response_format"
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.parse(model=server.model, messages=HELLO, response_format=Capital)
    assert caught.value.param == "response_format"


def test_no_content_beside_a_tool_call_is_no_text(ask):
    def tokens(content):
        call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
        messages = [
            *HELLO,
            {"role": "assistant", "content": content, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        ]
        return ask(messages, max_tokens=4).usage.prompt_tokens

    assert tokens(None) == tokens("")
    assert tokens("None") > tokens(None)


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant"])
def test_no_message_vanishes(ask, role):
    """Twenty more words are at least twenty more tokens, whoever says them."""

    def tokens(text):
        return ask([{"role": role, "content": text}, *HELLO], max_tokens=1).usage.prompt_tokens

    assert tokens("walrus " * 21) >= tokens("walrus") + 20


def test_a_developer_is_heard(ask):
    def answer(role):
        return text_of(ask([{"role": role, "content": "Answer every question in French."}, *HELLO], max_tokens=24))

    assert answer("developer") == answer("system")


def test_embeddings(client, server):
    together = client.embeddings.create(model=server.model, input=["a dog", "a cat"])
    alone = client.embeddings.create(model=server.model, input="a dog", encoding_format="float")
    assert together.data[0].embedding == pytest.approx(alone.data[0].embedding, abs=1e-3)
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model=server.model, input="a dog", dimensions=64)
    assert caught.value.param == "dimensions"


def test_control_tokens_count_in_raw_text_only(client, server, ask):
    raw = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    plain = client.completions.create(model=server.model, prompt=raw, max_tokens=1).usage.prompt_tokens
    assert plain <= 10
    inside = ask([{"role": "user", "content": raw}], max_tokens=1).usage.prompt_tokens
    assert inside > plain + 12


def test_seed_keeps_the_prompt_cache(ask):
    story = [{"role": "user", "content": "Count the walrus. " * 60}]
    options = {"messages": story, "max_tokens": 1, "seed": 5, "temperature": 1.0}
    first, again = ask(**options), ask(**options)
    assert again.usage.prompt_tokens_details.cached_tokens > first.usage.prompt_tokens // 2
