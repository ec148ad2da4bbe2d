"""Streams as they pass over the network, clients that leave, and a server that is asked to stop."""

import os
import shutil
import signal
import subprocess
import threading
import time

import pytest

PROMPT = "Once upon a time"


def test_curl_sees_the_stream_as_it_grows(base_url, model):
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    body = f'{{"model": "{model}", "prompt": "{PROMPT}", "max_tokens": 32, "stream": true}}'
    curl = subprocess.run(
        ["curl", "-sSN", "--max-time", "60", f"{base_url}/v1/completions", "-d", body],
        capture_output=True,
        text=True,
        check=True,
    )
    events = [line for line in curl.stdout.splitlines() if line and not line.startswith(":")]
    assert len(events) > 2
    assert all(line.startswith("data: ") for line in events), curl.stdout
    assert events[-1] == "data: [DONE]"


def test_disconnected_client_stops_its_generation(client, model, server_pid):
    """What a client leaves behind costs less than half of what it asked for."""
    request = {
        "model": model,
        "prompt": PROMPT,
        "n": 8,
        "max_tokens": 200,
        "temperature": 1.0,
        "seed": 1,
        "extra_body": {"ignore_eos": True},
    }
    begin = settled_cpu_s(server_pid)
    for _ in client.completions.create(**request, stream=True):
        pass
    whole = settled_cpu_s(server_pid) - begin
    begin = settled_cpu_s(server_pid)
    stream = client.completions.create(**request, stream=True)
    next(iter(stream))
    stream.close()
    left = settled_cpu_s(server_pid) - begin
    assert left < whole / 2, f"{left:.2f} s of {whole:.2f} s were spent after the client left"


def settled_cpu_s(pid: int) -> float:
    """Waits until the process rests, and returns the processor time that it has used."""
    last = cpu_s(pid)
    for _ in range(240):
        time.sleep(0.5)
        now = cpu_s(pid)
        if now - last < 0.03:
            return now
        last = now
    raise AssertionError("the server never rests")


def cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_terminated_server_finishes_what_runs(own_server):
    finish = []
    first_chunk = threading.Event()

    def stream():
        chunks = own_server.client.completions.create(
            model="default", prompt=PROMPT, max_tokens=100, stream=True, extra_body={"ignore_eos": True}
        )
        for chunk in chunks:
            first_chunk.set()
            if chunk.choices and chunk.choices[0].finish_reason:
                finish.append(chunk.choices[0].finish_reason)

    running = threading.Thread(target=stream)
    running.start()
    assert first_chunk.wait(60)
    own_server.process.send_signal(signal.SIGTERM)
    running.join(60)
    assert finish == ["length"]
    assert own_server.process.wait(30) == 0


def test_port_in_use_is_said(own_server):
    port = own_server.url.rpartition(":")[2]
    second = subprocess.run(
        [os.environ["STACK_BINARY"], "serve", "--port", port],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert second.returncode != 0
    assert port in second.stderr and "in use" in second.stderr.lower()
