"""Whether a body is exactly what a client's own types say.

Clients parse leniently: they keep fields that they do not know and convert what has another type, so that a wrong body
passes unnoticed until a program trips over it. Here the same types are held to the body strictly.
"""

import json
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError

# Fields that are sent although the client's types lack them, by their path, each with the reason why.
DELIBERATE = {
    "timings": "llama-server's measurements, which its users read",
    "meta": "what llama-server and others say of a model",
    "status": "whether a model is loaded, in llama-server's words",
    "store": "OpenAI sends it with every response; the types lack it",
    "response.store": "as `store`",
    "presence_penalty": "Open Responses demands it",
    "response.presence_penalty": "as in a response",
    "frequency_penalty": "Open Responses demands it",
    "response.frequency_penalty": "as in a response",
    "output.*custom_tool_call.status": "OpenAI sends it, and the type of stored items has it",
    "response.output.*custom_tool_call.status": "as in a response",
    "item.status": "as in a response, where the item is a `custom_tool_call`",
    "models.*.name": "Ollama sends it beside `model`, and older clients read it",
    "choices.*.message.reasoning_content": "where every other server has its thinking, and every client looks for it",
    "choices.*.delta.reasoning_content": "as in a message",
}


def differences(kind: Any, raw: str | bytes, *deliberate: str) -> list[str]:
    """Lists what of a JSON text is not as `kind` says: unknown, missing, or of a type that would be converted.

    `deliberate` names the fields of [`DELIBERATE`] that a body of this kind may have besides.
    """
    value = json.loads(raw)
    for path in deliberate:
        assert path in DELIBERATE, f"{path} needs a reason"
        without(value, path.split("."))
    return faults(kind, value)


def without(value: Any, path: list[str]) -> None:
    """Takes the field at `path` out of a value; `*` stands for every item of a list, or for every one of a type."""
    [name, *rest] = path
    if name.startswith("*"):
        for item in value:
            if name == "*" or item.get("type") == name[1:]:
                without(item, rest)
    elif isinstance(value, dict) and name in value:
        if rest:
            without(value[name], rest)
        else:
            del value[name]


def faults(kind: Any, value: Any) -> list[str]:
    """As `differences`, of a value that is parsed."""
    kind = member(kind, value)
    try:
        adapter(kind).validate_json(json.dumps(value), strict=True, extra="forbid")
    except ValidationError as error:
        found = error.errors(include_url=False)
        # Of a union, those members are meant whose `type` is right.
        other = {
            fault["loc"][:-1] for fault in found if fault["type"] == "literal_error" and fault["loc"][-1] == "type"
        }
        meant = [fault for fault in found if not any(fault["loc"][: len(place)] == place for place in other)]
        return [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in meant or found]
    return []


adapter = cache(TypeAdapter)


def member(kind: Any, value: Any) -> Any:
    """Finds the member of a union of models that has the `type` of this value."""
    for one in alternatives(kind):
        if isinstance(one, type) and issubclass(one, BaseModel) and isinstance(value, dict) and "type" in value:
            field = one.model_fields.get("type")
            if field is not None and value["type"] in get_args(field.annotation):
                return one
    return kind


def alternatives(kind: Any) -> list[Any]:
    """Lists the members of a union, and of the unions in it."""
    # Aliases of types and annotations are no unions themselves.
    kind = getattr(kind, "__value__", kind)
    members = get_args(kind)
    if not members or isinstance(kind, type):
        return [kind]
    if hasattr(kind, "__metadata__"):
        return alternatives(members[0])
    return [one for member in members for one in alternatives(member)]


def events(text: str) -> list[tuple[str | None, str]]:
    """Splits a stream of server-sent events into names and data, and insists on its form."""
    assert text.endswith("\n\n"), "a stream ends with an empty line"
    parsed = []
    for frame in text[:-2].split("\n\n"):
        lines = frame.split("\n")
        if all(line.startswith(":") for line in lines):
            continue
        name = None
        if lines[0].startswith("event: "):
            name = lines.pop(0).removeprefix("event: ")
        [data] = lines
        assert data.startswith("data: "), frame
        parsed.append((name, data.removeprefix("data: ")))
    return parsed
