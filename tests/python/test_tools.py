"""Calls of tools and answers of a given form, through the official client.

The model writes small stories and chooses badly; what must hold is the form.
"""

import json

import pytest

ASK = [{"role": "user", "content": "What is the weather in Rome?"}]

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 8}, "unit": {"type": "string", "enum": ["C", "F"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}

TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}},
    {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}},
]

NAMED = {"type": "function", "function": {"name": "get_weather"}}


def check(arguments: str):
    value = json.loads(arguments)
    assert isinstance(value["city"], str) and value["unit"] in ("C", "F"), arguments


@pytest.mark.parametrize("temperature", [0, 1])
def test_a_named_tool_is_called_with_arguments_that_fit(client, model, temperature):
    for seed in range(3):
        answer = client.chat.completions.create(
            model=model, messages=ASK, tools=TOOLS, tool_choice=NAMED, temperature=temperature, seed=seed
        )
        [choice] = answer.choices
        assert choice.finish_reason == "tool_calls"
        [call] = choice.message.tool_calls
        assert call.function.name == "get_weather" and call.id
        check(call.function.arguments)


def test_a_call_is_streamed_name_first(client, model):
    stream = client.chat.completions.create(
        model=model, messages=ASK, tools=TOOLS, tool_choice=NAMED, temperature=0, stream=True
    )
    fragments = [
        fragment for chunk in stream for choice in chunk.choices for fragment in choice.delta.tool_calls or []
    ]
    assert fragments[0].id and fragments[0].function.name == "get_weather"
    assert all(fragment.index == 0 and not fragment.function.name for fragment in fragments[1:])
    check("".join(fragment.function.arguments or "" for fragment in fragments))


def test_an_answer_follows_its_schema(client, model):
    form = {"type": "json_schema", "json_schema": {"name": "weather", "schema": WEATHER, "strict": True}}
    answer = client.chat.completions.create(model=model, messages=ASK, response_format=form, temperature=1, seed=1)
    assert answer.choices[0].finish_reason == "stop"
    check(answer.choices[0].message.content)


def test_a_grammar_of_llama_cpp_binds(client, model):
    answer = client.chat.completions.create(
        model=model, messages=ASK, extra_body={"grammar": 'root ::= "yes" | "no"'}, max_tokens=20
    )
    assert answer.choices[0].message.content in ("yes", "no")
