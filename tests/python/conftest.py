"""What the tests share: the server under test, and the official client pointed at it.

`cargo test -p stack-e2e` starts the server and sets `STACK_BASE_URL`, `STACK_PID` and `STACK_BINARY`. To work on one
test, start `stack serve` yourself and run `STACK_BASE_URL=http://127.0.0.1:8084 pytest -k NAME` in this folder.
"""

import os
import re
import subprocess
import threading

import openai
import pytest

TIMEOUT_S = 120.0


@pytest.fixture(scope="session")
def base_url() -> str:
    url = os.environ.get("STACK_BASE_URL")
    if not url:
        pytest.exit("STACK_BASE_URL is not set: run `cargo test -p stack-e2e`, or start `stack serve`", 2)
    return url.rstrip("/")


@pytest.fixture(scope="session")
def client(base_url: str) -> openai.OpenAI:
    """The client as its documentation says, but without retries, which would hide refusals."""
    return openai.OpenAI(base_url=f"{base_url}/v1", api_key="unused", max_retries=0, timeout=TIMEOUT_S)


@pytest.fixture(scope="session")
def model(client: openai.OpenAI) -> str:
    """The id of the model that the server has."""
    return client.models.list().data[0].id


@pytest.fixture(scope="session")
def server_pid() -> int:
    """The process of the server, where the tests run on its machine."""
    pid = os.environ.get("STACK_PID")
    if not pid or not os.path.exists(f"/proc/{pid}/status"):
        pytest.skip("needs the server's process in /proc")
    return int(pid)


@pytest.fixture
def own_server():
    """A server that the test may stop."""
    binary = os.environ.get("STACK_BINARY")
    if not binary:
        pytest.skip("needs STACK_BINARY to start a server of its own")
    server = OwnServer(binary)
    yield server
    server.process.kill()
    server.process.wait()


class OwnServer:
    """`stack serve` on a free port, ready to answer."""

    def __init__(self, binary: str):
        self.process = subprocess.Popen(
            [binary, "serve", "--port", "0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[str] = []
        self.url = None
        for line in self.process.stderr:
            self.log.append(line)
            if found := re.search(r"listening on (http://\S+)", line):
                self.url = found[1].rstrip("/")
                break
        assert self.url, f"the server did not start: {''.join(self.log)}"
        # A full pipe would stop the server.
        threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True).start()
        self.client = openai.OpenAI(base_url=f"{self.url}/v1", api_key="unused", max_retries=20, timeout=TIMEOUT_S)
        # A loading model answers 503, which the client retries.
        self.client.completions.create(model="default", prompt="Once", max_tokens=1)
