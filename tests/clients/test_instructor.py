"""Instructor: typed answers, over the clients of OpenAI and Anthropic, by calls and by schemas."""

import anthropic
import instructor
import openai
import pytest
from pydantic import BaseModel, Field

from asking import HELLO


class Capital(BaseModel):
    """The capital of a country."""

    city: str = Field(max_length=12)


OPENAI = [
    instructor.Mode.TOOLS,
    instructor.Mode.TOOLS_STRICT,
    instructor.Mode.JSON_SCHEMA,
    instructor.Mode.RESPONSES_TOOLS,
]
ANTHROPIC = [instructor.Mode.ANTHROPIC_TOOLS]


def of_openai(server, mode):
    return instructor.from_openai(openai.OpenAI(base_url=server.base_url, api_key="unused", max_retries=0), mode=mode)


@pytest.mark.parametrize("mode", OPENAI, ids=lambda mode: mode.name)
def test_openai(server, mode):
    limit = "max_output_tokens" if "RESPONSES" in mode.name else "max_tokens"
    options = {limit: 160, "temperature": 0, "max_retries": 0}
    answer = of_openai(server, mode).create(model=server.model, messages=HELLO, response_model=Capital, **options)
    assert isinstance(answer, Capital)


@pytest.mark.parametrize("mode", ANTHROPIC, ids=lambda mode: mode.name)
def test_anthropic(server, mode):
    client = instructor.from_anthropic(
        anthropic.Anthropic(base_url=server.url, api_key="unused", max_retries=0), mode=mode
    )
    answer = client.create(model=server.model, messages=HELLO, response_model=Capital, max_tokens=160, max_retries=0)
    assert isinstance(answer, Capital)


def test_partial_answers_grow(server):
    client = of_openai(server, instructor.Mode.JSON_SCHEMA)
    pieces = list(
        client.create_partial(model=server.model, messages=HELLO, response_model=Capital, max_tokens=160, temperature=0)
    )
    assert len(pieces) > 1 and pieces[-1].city
    assert all(pieces[-1].city.startswith(piece.city or "") for piece in pieces)
