"""Plain completions through the official client."""

import math

import pytest

START = "Once upon a time"


def test_text_is_continued(client, model):
    answer = client.completions.create(model=model, prompt=START, max_tokens=16)
    assert answer.object == "text_completion"
    assert answer.choices[0].text.strip()
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage.completion_tokens <= 16


def test_stream_is_the_same_text_in_pieces(client, model):
    options = {"model": model, "prompt": START, "max_tokens": 24, "seed": 3}
    whole = client.completions.create(**options).choices[0].text
    pieces = [chunk.choices[0].text for chunk in client.completions.create(**options, stream=True)]
    assert len(pieces) > 1
    assert "".join(pieces) == whole


def test_several_prompts_are_answered_in_order(client, model):
    options = {"model": model, "max_tokens": 8, "temperature": 0}
    prompts = [START, "The dog"]
    together = client.completions.create(prompt=prompts, **options)
    assert [choice.index for choice in together.choices] == [0, 1]
    for prompt, choice in zip(prompts, together.choices):
        assert choice.text == client.completions.create(prompt=prompt, **options).choices[0].text


def test_token_ids_are_used_as_they_are(client, model):
    options = {"model": model, "max_tokens": 8, "temperature": 0}
    ids = [300, 301, 302, 303]
    single = client.completions.create(prompt=ids, **options)
    assert single.usage.prompt_tokens == len(ids)
    listed = client.completions.create(prompt=[ids, ids[:2]], **options)
    assert listed.choices[0].text == single.choices[0].text
    assert listed.usage.prompt_tokens == len(ids) + 2


def test_same_seed_same_answer(client, model):
    def ask(seed):
        answer = client.completions.create(model=model, prompt=START, max_tokens=24, temperature=1.0, seed=seed)
        return answer.choices[0].text

    assert ask(42) == ask(42)
    assert len({ask(seed) for seed in range(6)}) > 1


def test_logprobs_add_up(client, model):
    answer = client.completions.create(model=model, prompt=START, max_tokens=6, temperature=0, logprobs=3).choices[0]
    logprobs = answer.logprobs
    count = len(logprobs.tokens)
    assert count == len(logprobs.token_logprobs) == len(logprobs.top_logprobs) == len(logprobs.text_offset)
    assert logprobs.text_offset == sorted(logprobs.text_offset)
    for chosen, top in zip(logprobs.token_logprobs, logprobs.top_logprobs):
        assert chosen == pytest.approx(max(top.values()), abs=1e-5)
        assert sum(math.exp(value) for value in top.values()) <= 1 + 1e-4


def test_stop_and_n(client, model):
    answer = client.completions.create(model=model, prompt=START, max_tokens=48, n=2, stop=".", seed=5)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert all("." not in choice.text for choice in answer.choices)
