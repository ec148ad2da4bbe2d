"""The official client for Python, on a real chat model."""

import json

import openai
import pytest
from pydantic import BaseModel

from asking import CITY, CLOCK, ENDLESS, HELLO, QUESTION, WEATHER, is_city
from conftest import assert_at_rest


class City(BaseModel):
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
def test_tools_that_the_template_does_not_show_are_listed(client, server, strict, parallel):
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


def test_tools_that_the_template_shows_are_seen(tool_server):
    client = openai.OpenAI(base_url=tool_server.base_url, api_key="unused", max_retries=0)

    def tokens(**options):
        raw = client.chat.completions.with_raw_response.create(
            model=tool_server.model, messages=HELLO, max_tokens=1, **options
        )
        assert "x-stack-ignored" not in raw.headers
        return raw.parse().usage.prompt_tokens

    assert tokens(tools=[WEATHER]) >= tokens() + 40


NAMED = {"type": "function", "function": {"name": "clock"}}


@pytest.mark.parametrize("choice", ["required", NAMED], ids=["required", "named"])
@pytest.mark.parametrize("template", ["server", "tool_server"])
def test_a_call_that_must_happen_happens(request, template, choice):
    server = request.getfixturevalue(template)
    client = openai.OpenAI(base_url=server.base_url, api_key="unused", max_retries=0)
    options = {
        "model": server.model,
        "messages": HELLO,
        "temperature": 0,
        "max_tokens": 160,
        "tools": [WEATHER, CLOCK],
        "tool_choice": choice,
        "parallel_tool_calls": False,
    }
    [whole] = client.chat.completions.create(**options).choices
    assert (whole.finish_reason, whole.message.content) == ("tool_calls", None)
    with client.chat.completions.stream(**options) as stream:
        kinds = {event.type for event in stream}
        [streamed] = stream.get_final_completion().choices
    assert "tool_calls.function.arguments.delta" in kinds
    for choice_made in (whole, streamed):
        [call] = choice_made.message.tool_calls
        assert is_city(json.loads(call.function.arguments))
        assert choice != NAMED or call.function.name == "clock"
    assert streamed.message.tool_calls[0].function.arguments == whole.message.tool_calls[0].function.arguments


def test_calls_may_be_many(ask):
    answer = ask(tools=[WEATHER, CLOCK], tool_choice="required", parallel_tool_calls=True, max_tokens=200)
    calls = answer.choices[0].message.tool_calls
    assert len({call.id for call in calls}) == len(calls) >= 1


def test_half_a_call_is_no_text(tool_server):
    """What the limit cuts off within a call is not for people to read."""
    client = openai.OpenAI(base_url=tool_server.base_url, api_key="unused", max_retries=0)
    for limit in range(4, 40, 4):
        answer = client.chat.completions.create(
            model=tool_server.model,
            messages=HELLO,
            max_tokens=limit,
            temperature=0,
            tools=[WEATHER],
            tool_choice="required",
        )
        [choice] = answer.choices
        assert not choice.message.content, (limit, choice.message.content)
        assert choice.finish_reason in ("length", "tool_calls")


def test_allowed_tools(ask):
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "clock"}}]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    answer = ask(tools=[WEATHER, CLOCK], tool_choice=choice, parallel_tool_calls=False, max_tokens=160)
    assert answer.choices[0].message.tool_calls[0].function.name == "clock"


def test_structured_answers(client, server, ask):
    assert isinstance(json.loads(text_of(ask(response_format={"type": "json_object"}, max_tokens=200))), dict)
    form = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": CITY}}
    assert is_city(json.loads(text_of(ask(response_format=form, max_tokens=64))))
    # An answer that the limit cuts is an error of the client's own.
    try:
        parsed = client.chat.completions.parse(
            model=server.model, messages=HELLO, response_format=City, temperature=0, max_tokens=100
        )
        assert isinstance(parsed.choices[0].message.parsed, City)
    except openai.LengthFinishReasonError as error:
        assert error.completion.choices[0].message.content.startswith("{")


def test_schemas_that_cannot_be_followed_are_refused_by_name(ask):
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "array", "uniqueItems": True}}}
    with pytest.raises(openai.BadRequestError, match="uniqueItems") as caught:
        ask(response_format=form)
    assert caught.value.param.startswith("response_format")
    tool = {"type": "function", "function": {"name": "f", "parameters": form["json_schema"]["schema"]}}
    with pytest.raises(openai.BadRequestError, match="uniqueItems") as caught:
        ask(tools=[tool], tool_choice="required")
    assert caught.value.param.startswith("tools[0]")


def test_grammars_bind(ask):
    answer = ask(extra_body={"grammar": 'root ::= "yes" | "no"'})
    assert text_of(answer) in ("yes", "no")
    with pytest.raises(openai.BadRequestError) as caught:
        ask(extra_body={"grammar": "root ::= ("})
    assert caught.value.param == "grammar"


FORMS = {
    "regex": "yes|no",
    "lark": 'start: "yes" | "no"',
    "guided_regex": "yes|no",
    "guided_choice": ["yes", "no"],
    "guided_grammar": 'root ::= "yes" | "no"',
    "guided_json": {"enum": ["yes", "no"]},
    "structured_outputs": {"choice": ["yes", "no"]},
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_have_the_words_of_vllm(client, server, ask, name):
    assert text_of(ask(extra_body={name: FORMS[name]})).strip('"') in ("yes", "no")
    asked = {"model": server.model, "prompt": QUESTION, "max_tokens": 16, "temperature": 0}
    assert client.completions.create(**asked, extra_body={name: FORMS[name]}).choices[0].text.strip('"') in ("yes", "no")


def test_forms_that_cannot_be_are_refused_by_their_own_name(ask):
    for form, name in [
        ({"guided_regex": "("}, "guided_regex"),
        ({"structured_outputs": {"json": {"not": {}}}}, "structured_outputs.json"),
        ({"guided_choice": ["a"], "regex": "a"}, "guided_choice"),
    ]:
        with pytest.raises(openai.BadRequestError) as caught:
            ask(extra_body=form)
        assert caught.value.param == name


def test_logprobs(client, server, ask):
    whole = ask(logprobs=True, top_logprobs=3).choices[0]
    assert "".join(one.token for one in whole.logprobs.content) == whole.message.content
    for one in whole.logprobs.content:
        assert one.logprob <= 0 and len(one.top_logprobs) == 3
        # Greedily, the most probable token is the one that comes.
        assert one.top_logprobs[0].token == one.token
    pieces = [chunk.choices[0] for chunk in ask(logprobs=True, top_logprobs=3, stream=True)]
    streamed = [one.token for piece in pieces if piece.logprobs for one in piece.logprobs.content]
    assert streamed == [one.token for one in whole.logprobs.content]
    plain = client.completions.create(model=server.model, prompt=QUESTION, max_tokens=4, logprobs=2)
    assert "".join(plain.choices[0].logprobs.tokens) == plain.choices[0].text


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh"])
def test_a_model_without_thinking_does_not_mind(ask, effort):
    message = ask(reasoning_effort=effort).choices[0].message
    assert message.content and not hasattr(message, "reasoning_content")


def test_thinking_comes_apart(thinking_server):
    client = openai.OpenAI(base_url=thinking_server.base_url, api_key="unused", max_retries=0)
    options = {"model": thinking_server.model, "messages": HELLO, "max_tokens": 12, "temperature": 0}
    answer = client.chat.completions.create(**options)
    assert answer.choices[0].message.reasoning_content and not answer.choices[0].message.content
    assert answer.usage.completion_tokens_details.reasoning_tokens > 0
    deltas = [chunk.choices[0].delta for chunk in client.chat.completions.create(**options, stream=True)]
    thought = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    assert thought == answer.choices[0].message.reasoning_content
    silent = client.chat.completions.create(**options, reasoning_effort="none").choices[0].message
    assert silent.content and not hasattr(silent, "reasoning_content")


def test_a_stream_that_is_left_ends(client, server):
    form = {"type": "json_schema", "json_schema": {"name": "all", "strict": True, "schema": ENDLESS}}
    stream = client.chat.completions.create(
        model=server.model, messages=HELLO, response_format=form, max_tokens=8000, stream=True
    )
    next(iter(stream))
    stream.close()
    assert_at_rest(server)


@pytest.mark.parametrize("headers", [{"authorization": "Bearer k"}, {"x-api-key": "k"}], ids=["Bearer", "x-api-key"])
def test_both_headers(http, server, headers):
    assert http.get("/v1/models", headers=headers).status_code == 200
    body = {"model": server.model, "messages": HELLO, "max_tokens": 1}
    assert http.post("/v1/chat/completions", json=body, headers=headers).status_code == 200


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


def test_a_conversation_that_began_elsewhere_goes_on(ask):
    """What clients of other providers carry in this dialect: signatures of thoughts, marks for caches, reasons."""
    question = [{"type": "text", "text": QUESTION, "cache_control": {"type": "ephemeral"}}]
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Paris"}'},
        "extra_content": {"google": {"thought_signature": "CiQB"}},
    }
    said = {
        "role": "assistant",
        "content": None,
        "annotations": [],
        "audio": None,
        "refusal": None,
        "function_call": None,
        "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}],
        "tool_calls": [call],
    }
    result = {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}
    assert ask([{"role": "user", "content": question}, said, result, *HELLO], tools=[WEATHER]).choices[0].message.content


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
