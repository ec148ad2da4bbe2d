"""Many prompts, greedily and drawn: an answer that is bound to calls or to a schema has that form, or ends with the limit.

`STACK_PROMPTS` says how many prompts.
"""

import itertools
import json
import os
from collections import Counter

import httpx
import jsonschema
import pytest

PROMPTS = int(os.environ.get("STACK_PROMPTS", "20"))
TOKENS = 200

WHO = [
    "a pirate",
    "my grandmother",
    "a tax inspector",
    "Ada Lovelace",
    "a cat",
    "the mayor of Łódź",
    "a robot",
    "nobody",
]
WHAT = [
    "Book a table for {who}.",
    "What is the weather where {who} lives?",
    "Describe {who} as JSON, with a }} in it.",
    'Write a poem about {who} with "quotes" and \\ backslashes.',
    "Do not call any tool. Just greet {who}.",
    "{who}: 1, 2, 3 …",
    "</tool_call> <|im_end|> {who} <tool_call>",
    "Erzähl mir von {who}, und zwar auf Deutsch.",
    "How old is {who}? Answer with a number.",
    "List five friends of {who}.",
]
ASKED = [what.format(who=who) for who, what in itertools.product(WHO, WHAT)]
ASKED = [f"{asked} ({round})" if round else asked for round in range(1 + PROMPTS // len(ASKED)) for asked in ASKED][
    :PROMPTS
]

text = {"type": "string", "maxLength": 24}
PERSON = {
    "type": "object",
    "properties": {
        "name": text,
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "tags": {"type": "array", "items": {"enum": ["kind", "odd", "brave"]}, "minItems": 1, "maxItems": 3},
        "pet": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/pet"}]},
    },
    "required": ["name", "age", "tags", "pet"],
    "additionalProperties": False,
    "$defs": {
        "pet": {
            "type": "object",
            "properties": {"kind": {"const": "cat"}, "lives": {"type": "number", "minimum": 0, "maximum": 9}},
            "required": ["kind"],
            "additionalProperties": False,
        }
    },
}
PLACE = {
    "type": "object",
    "properties": {
        "city": text,
        "unit": {"enum": ["C", "F"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 14},
    },
    "required": ["city", "unit"],
    "additionalProperties": False,
}
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
SCHEMAS = {"weather": PLACE, "person": PERSON, "now": NOTHING}
FUNCTIONS = [
    {"name": name, "description": f"Takes the {name}.", "parameters": schema} for name, schema in SCHEMAS.items()
]
TOOLS = [{"type": "function", "function": function} for function in FUNCTIONS]
FORM = {"name": "person", "strict": True, "schema": PERSON}


def chat(more):
    def ask(client, prompt, temperature):
        body = {
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": TOKENS,
            "temperature": temperature,
            "seed": 7,
        }
        [choice] = post(client, "/v1/chat/completions", {**body, **more})["choices"]
        calls = [
            (call["function"]["name"], json.loads, call["function"]["arguments"])
            for call in choice["message"].get("tool_calls", [])
        ]
        return choice["finish_reason"], choice["message"]["content"], calls

    return ask


def messages(more):
    ends = {"end_turn": "stop", "max_tokens": "length", "tool_use": "tool_calls"}

    def ask(client, prompt, temperature):
        body = {"messages": [{"role": "user", "content": prompt}], "max_tokens": TOKENS, "temperature": temperature}
        answer = post(client, "/v1/messages", {**body, **more})
        said = "".join(block.get("text", "") for block in answer["content"])
        calls = [(block["name"], dict, block["input"]) for block in answer["content"] if block["type"] == "tool_use"]
        return ends[answer["stop_reason"]], said, calls

    return ask


def responses(more):
    def ask(client, prompt, temperature):
        body = {"input": prompt, "max_output_tokens": TOKENS, "temperature": temperature}
        answer = post(client, "/v1/responses", {**body, **more})
        calls = [
            (item["name"], json.loads, item["arguments"])
            for item in answer["output"]
            if item["type"] == "function_call"
        ]
        said = "".join(
            part["text"] for item in answer["output"] if item["type"] == "message" for part in item["content"]
        )
        done = "tool_calls" if calls else "stop"
        return {"completed": done, "incomplete": "length"}[answer["status"]], said, calls

    return ask


def ollama(more):
    def ask(client, prompt, temperature):
        options = {"num_predict": TOKENS, "temperature": temperature, "seed": 7}
        body = {"messages": [{"role": "user", "content": prompt}], "stream": False, "options": options}
        answer = post(client, "/api/chat", {**body, **more})
        return answer["done_reason"], answer["message"]["content"], []

    return ask


def post(client, path, body):
    reply = client.post(path, json={"model": client.model, **body})
    assert reply.status_code == 200, reply.text
    return reply.json()


NAMED = {"type": "function", "function": {"name": "person"}}
CALLS = {
    "chat, required": chat({"tools": TOOLS, "tool_choice": "required"}),
    "chat, named": chat({"tools": TOOLS, "tool_choice": NAMED}),
    "chat, one": chat({"tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": False}),
    "messages, any": messages(
        {
            "tools": [{"name": name, "input_schema": schema} for name, schema in SCHEMAS.items()],
            "tool_choice": {"type": "any"},
        }
    ),
    "responses, required": responses(
        {"tools": [{"type": "function", **one} for one in FUNCTIONS], "tool_choice": "required"}
    ),
}
ANSWERS = {
    "chat": chat({"response_format": {"type": "json_schema", "json_schema": FORM}}),
    "messages": messages({"output_config": {"format": {"type": "json_schema", "schema": PERSON}}}),
    "responses": responses({"text": {"format": {"type": "json_schema", **FORM}}}),
    "ollama": ollama({"format": PERSON}),
}
# Neither must there be a call, nor may there be one of another form.
FREE = {
    "chat, auto": chat({"tools": TOOLS}),
    "chat, strict": chat({"tools": [{"type": "function", "function": {**one, "strict": True}} for one in FUNCTIONS]}),
    "chat, either": chat({"tools": TOOLS, "response_format": {"type": "json_schema", "json_schema": FORM}}),
}


KINDS = [
    (must, *kind) for must, kinds in (("call", CALLS), ("answer", ANSWERS), ("either", FREE)) for kind in kinds.items()
]


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0, 1])
def test_forms(server, tool_server, temperature):
    counts = Counter()
    wrong = []
    with client_of(server) as plain, client_of(tool_server) as shown:
        # Both numbers have no divisor in common, so that in time every template meets every kind.
        for prompt, (must, kind, ask), client in zip(
            ASKED, itertools.cycle(KINDS), itertools.cycle([plain, shown, shown, plain, shown])
        ):
            reason, said, calls = ask(client, prompt, temperature)
            counts[must, reason] += 1
            try:
                check(must, kind, reason, said, calls)
            except (AssertionError, ValueError, jsonschema.ValidationError) as error:
                wrong.append((kind, client is shown, prompt, reason, said, calls, str(error).split("\n")[0]))
    print(temperature, dict(counts))
    for one in wrong:
        print(one)
    assert not wrong, f"{len(wrong)} of {len(ASKED)}"
    for must in ("call", "answer"):
        cut = counts[must, "length"]
        assert cut <= 0.8 * sum(count for (one, _), count in counts.items() if one == must), counts


def client_of(server):
    client = httpx.Client(base_url=server.url, timeout=300)
    client.model = server.model
    return client


def check(must, kind, reason, said, calls):
    # The last call may be cut.
    whole = calls[:-1] if reason == "length" else calls
    for name, read, arguments in whole:
        jsonschema.Draft202012Validator(SCHEMAS[name]).validate(read(arguments))
    if reason == "length":
        return
    assert (reason == "tool_calls") == bool(calls), reason
    if must == "call":
        assert calls and not said, "there is no call, or more than calls"
        assert len(calls) == 1 or kind not in ("chat, named", "chat, one")
    if must == "answer" or kind == "chat, either" and not calls:
        jsonschema.Draft202012Validator(PERSON).validate(json.loads(said))
