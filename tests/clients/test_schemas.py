"""Random JSON schemas: an answer follows its schema, or the schema is refused by name.

`STACK_SCHEMAS` says how many; hypothesis makes the smallest one of those that fail.
"""

import json
import os
import re
from collections import Counter

import httpx
import jsonschema
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema._canonicalise import FALSEY, canonicalish

from asking import HELLO

SCHEMAS = int(os.environ.get("STACK_SCHEMAS", "50"))
TOKENS = 160
# Much longer than an answer takes on a machine that is busy otherwise.
HANG_S = 300

names = st.sampled_from(["a", "b", "city", "x y", "é", "$id", '"', "-1"])
words = st.text(st.sampled_from('ab é"\\\n1'), max_size=4)
small = st.integers(0, 4)
numbers = st.integers(-20, 20) | st.sampled_from([0.5, -1.25, 1e3, 0.1])
scalars = st.none() | st.booleans() | numbers | words
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2), max_leaves=4
)
# Such as people write; neither anchored nor bounded on purpose.
patterns = st.sampled_from(["^a+$", "[0-9]{2,3}", "^(ab|cd)*$", "^\\d{4}-\\d{2}$", '^[^"]{1,3}$', "b$", "^é"])
formats = st.sampled_from(["date", "time", "date-time", "uuid", "ipv4", "email"])


def some(**fields):
    """Schemas that have any of these keywords."""
    return st.fixed_dictionaries({}, optional=fields)


def merged(*parts):
    return st.tuples(*parts).map(lambda found: {name: value for part in found for name, value in part.items()})


def ordered(low: str, high: str, kind):
    """Two bounds of which the lower is not above the higher."""
    both = st.tuples(kind, kind).map(sorted)
    return both.flatmap(lambda pair: some(**{low: st.just(pair[0]), high: st.just(pair[1])}))


def typed(name: str, *parts):
    return merged(st.just({"type": name}), *parts)


strings = st.one_of(
    typed("string", ordered("minLength", "maxLength", small)),
    typed("string", some(pattern=patterns)),
    typed("string", some(format=formats)),
)
integers = st.one_of(
    typed("integer", ordered("minimum", "maximum", st.integers(-50, 50))),
    typed("integer", ordered("exclusiveMinimum", "maximum", st.integers(-50, 50)), some(multipleOf=st.integers(1, 7))),
)
floats = typed("number", ordered("minimum", "exclusiveMaximum", numbers))
enums = st.one_of(
    st.lists(values, min_size=1, max_size=3).map(lambda found: {"enum": found}),
    values.map(lambda value: {"const": value}),
)
plain = st.sampled_from(
    [{"type": "boolean"}, {"type": "null"}, {"type": ["integer", "null"]}, {"type": ["string", "boolean"]}]
)
OTHER = {"type": "string", "maxLength": 3}
references = st.just({"$ref": "#/$defs/other"})
leaves = st.one_of(strings, integers, floats, enums, plain, references)
notes = some(title=words, description=words, default=values, examples=st.lists(values, max_size=1))


@st.composite
def objects(draw, inner):
    properties = draw(st.dictionaries(names, inner, max_size=3))
    schema = {"type": "object", "properties": properties}
    if properties:
        schema["required"] = draw(st.lists(st.sampled_from(sorted(properties)), unique=True))
    schema |= draw(some(additionalProperties=st.booleans() | inner))
    return schema


def nested(inner):
    arrays = typed(
        "array",
        some(items=inner, prefixItems=st.lists(inner, min_size=1, max_size=2)),
        ordered("minItems", "maxItems", small),
    )
    several = st.lists(inner, min_size=1, max_size=3)
    either = several.map(lambda schemas: {"anyOf": schemas})
    both = st.lists(inner, min_size=1, max_size=2).map(lambda schemas: {"allOf": schemas})
    # Alternatives of which one can be told from the others, as generators of schemas write them.
    one = several.map(
        lambda schemas: {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"kind": {"const": str(number)}, "value": schema},
                    "required": ["kind", "value"],
                    "additionalProperties": False,
                }
                for number, schema in enumerate(schemas)
            ]
        }
    )
    return st.one_of(objects(inner), objects(inner), arrays, either, both, one)


def with_definitions(schema: dict) -> dict:
    text = json.dumps(schema)
    return schema | {"$defs": {"other": OTHER}} if "#/$defs/other" in text else schema


schemas = st.recursive(merged(leaves, notes), nested, max_leaves=5).map(with_definitions)

# Keywords that are not understood, each in a schema of its own.
UNKNOWN = [
    {"not": {"type": "null"}},
    {"type": "array", "uniqueItems": True},
    {"type": "array", "contains": {"type": "null"}},
    {"type": "object", "propertyNames": {"maxLength": 2}},
    {"type": "object", "dependentRequired": {"a": ["b"]}},
    {"if": {"type": "null"}, "then": {"const": None}},
    {"type": "object", "unevaluatedProperties": False},
]


def keywords(schema) -> set[str]:
    """Lists the keywords anywhere in a schema, and the formats, types and such that they name."""
    if isinstance(schema, dict):
        return set(schema).union(*map(keywords, schema.values()))
    if isinstance(schema, list):
        return set().union(*map(keywords, schema))
    return {schema} if isinstance(schema, str) else set()


@pytest.mark.parametrize("schema", UNKNOWN, ids=lambda schema: ",".join(schema))
def test_a_keyword_that_is_not_understood_is_named(http, server, schema):
    form = {"type": "json_schema", "json_schema": {"name": "any", "schema": schema}}
    reply = http.post("/v1/chat/completions", json={"model": server.model, "messages": HELLO, "response_format": form})
    assert reply.status_code == 400
    assert reply.json()["error"]["param"].startswith("response_format")
    assert [name for name in schema if name != "type" and f'"{name}"' in reply.json()["error"]["message"]]


@pytest.mark.slow
def test_schemas(server):
    counts = Counter()
    client = httpx.Client(base_url=server.url, timeout=HANG_S)
    refusals = Counter()

    @settings(
        max_examples=SCHEMAS,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=True,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(schemas)
    def follows(schema):
        jsonschema.Draft202012Validator.check_schema(schema)
        form = {"type": "json_schema", "json_schema": {"name": "any", "strict": True, "schema": schema}}
        body = {"model": server.model, "messages": HELLO, "max_tokens": TOKENS, "temperature": 1, "seed": 7}
        reply = client.post("/v1/chat/completions", json={**body, "response_format": form})
        counts["asked"] += 1
        if reply.status_code == 400:
            error = reply.json()["error"]
            assert error["param"].startswith("response_format")
            named = set(re.findall(r"[$\w]+", error["message"]))
            unsatisfiable = is_unsatisfiable(schema)
            counts["unsatisfiable" if unsatisfiable else "refused"] += 1
            refusals[error["message"]] += not unsatisfiable
            assert unsatisfiable or named & keywords(schema), f"no keyword is named: {error['message']}"
            return
        assert reply.status_code == 200, reply.text
        counts["accepted"] += 1
        [choice] = reply.json()["choices"]
        if choice["finish_reason"] == "length":
            counts["cut"] += 1
            return
        assert choice["finish_reason"] == "stop"
        answer = json.loads(choice["message"]["content"])
        jsonschema.Draft202012Validator(schema).validate(answer)

    try:
        follows()
    finally:
        print(dict(counts))
        for message, count in refusals.most_common():
            print(f"{count:4} {message[:200]}")
    assert counts["accepted"] >= 0.9 * (counts["asked"] - counts["unsatisfiable"]), counts
    assert counts["cut"] <= 0.5 * counts["accepted"], counts


def is_unsatisfiable(schema) -> bool:
    """Whether no value at all follows a schema, as far as can be seen."""
    try:
        return canonicalish(inlined(schema)) == FALSEY
    except Exception:
        return False


def inlined(schema):
    """Puts what it refers to in the place of each reference, beside which other keywords may stand."""
    if isinstance(schema, list):
        return [inlined(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    rest = {name: inlined(value) for name, value in schema.items() if name not in ("$ref", "$defs")}
    return {"allOf": [OTHER, rest]} if schema.get("$ref") == "#/$defs/other" else rest
