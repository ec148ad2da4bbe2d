"""Many requests at once, and many that make no sense."""

import http.client
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import openai

PARALLEL = 200


def test_parallel_streams_complete_or_are_refused(client, model, base_url, server_pid):
    assert_all_end(client, model)
    before = resident_mib(server_pid)
    for _ in range(2):
        assert_all_end(client, model)
    assert resident_mib(server_pid) < before + 64, "memory does not return to its level"
    assert client._client.get(f"{base_url}/health").status_code == 200


def assert_all_end(client, model):
    with ThreadPoolExecutor(PARALLEL) as pool:
        outcomes = list(pool.map(lambda seed: stream_one(client, model, seed), range(PARALLEL)))
    assert set(outcomes) <= {"complete", "refused"}, outcomes
    assert "complete" in outcomes


def stream_one(client, model, seed):
    try:
        stream = client.completions.create(
            model=model, prompt="Once upon a time", max_tokens=16, seed=seed, stream=True
        )
        *_, last = stream
        return "complete" if last.choices[0].finish_reason else "cut"
    except openai.APIStatusError as error:
        if error.status_code == 503 and error.response.headers.get("retry-after"):
            return "refused"
        return repr(error)
    except openai.APIError as error:
        return repr(error)


def test_malformed_requests_leave_the_server_healthy(client, model, base_url):
    address = urlsplit(base_url)
    draw = random.Random(1)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    for number in range(1000):
        path = draw.choice(["/v1/chat/completions", "/v1/completions", "/v1/embeddings"])
        body = malformed(draw)
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        text = reply.read()
        assert 400 <= reply.status < 500, f"request {number}: {path} {body[:200]!r} → {reply.status} {text[:200]!r}"
        assert json.loads(text)["error"]["message"]
    answer = client.completions.create(model=model, prompt="Once upon a time", max_tokens=4)
    assert answer.choices[0].text


def malformed(draw: random.Random) -> bytes:
    """One body that no server can accept."""
    good = json.dumps({"model": "default", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}).encode()
    kind = draw.randrange(6)
    if kind == 0:
        return draw.randbytes(draw.randrange(200))
    if kind == 1:
        return good[: draw.randrange(len(good))]
    if kind == 2:
        return b"[" * draw.randrange(1, 100_000)
    if kind == 3:
        return json.dumps(draw.choice([None, 1, "text", [], [{}], True])).encode()
    if kind == 4:
        wrong = draw.choice([{"a": {}}, [[[]]], -1e308, False, "\ud800"])
        return json.dumps({"prompt": wrong, "input": wrong, "messages": wrong}).encode()
    return good.replace(b"Hi", b"\xff\xfe\x80")


def resident_mib(pid: int) -> float:
    # Give freed work the time to be freed.
    time.sleep(1)
    with open(f"/proc/{pid}/status") as status:
        [line] = [line for line in status if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024
