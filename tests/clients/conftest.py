"""A server with a real chat model, for clients that people use.

`.ci/deep` sets `STACK_BINARY` and `STACK_MODEL`. To work on one test, set them yourself and run `pytest -k NAME` here.
"""

import os
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import openai
import pytest

HERE = Path(__file__).parent
START_S = 120
# What an answer of thousands of tokens would take many times over.
REST_S = 3


@dataclass(frozen=True)
class Server:
    """`stack serve` with the chat model."""

    url: str
    model: str
    pid: int

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"


@pytest.fixture(scope="session")
def server():
    with serve() as server:
        yield server


@pytest.fixture(scope="session")
def tool_server():
    """As `server`, with a chat template that shows tools: the model's own knows none."""
    with serve("--template", str(HERE / "tools.jinja")) as server:
        yield server


@pytest.fixture(scope="session")
def thinking_server():
    """As `server`, with a chat template that makes the model think before it answers."""
    with serve("--template", str(HERE / "thinking.jinja")) as server:
        yield server


@pytest.fixture
def http(server):
    """For what no client sends or shows."""
    with httpx.Client(base_url=server.url, timeout=120) as client:
        yield client


@contextmanager
def serve(*options: str):
    """Runs a server until it is no longer needed, with a home of its own: the models, the policy and the log of whoever
    runs this are none of its business."""
    binary, model = os.environ.get("STACK_BINARY"), os.environ.get("STACK_MODEL")
    if not binary or not model:
        pytest.exit("STACK_BINARY and STACK_MODEL are not set: run `.ci/deep`", 2)
    with TemporaryDirectory() as home:
        (Path(home) / "stack.toml").write_text("[audit]\nenabled = false\n")
        process = subprocess.Popen(
            [binary, "serve", "--port", "0", "-m", model, *options],
            env={**os.environ, "STACK_HOME": home},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            url = next(found[1] for line in process.stderr if (found := re.search(r"listening on (http://\S+)", line)))
            # A full pipe would stop the server.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            wait_until_ready(url)
            client = openai.OpenAI(base_url=f"{url}/v1", api_key="unused")
            [served] = client.models.list().data
            yield Server(url, served.id, process.pid)
        finally:
            process.terminate()
            process.wait(30)


def wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}/ready").close()
            return
        except urllib.error.HTTPError:
            time.sleep(0.05)
    raise AssertionError("the server never became ready")


def assert_at_rest(server: Server) -> None:
    """Waits until the server computes nothing, as soon after a client has left."""
    deadline = time.monotonic() + REST_S
    before = cpu_s(server.pid)
    while time.monotonic() < deadline:
        time.sleep(0.3)
        now = cpu_s(server.pid)
        if now - before < 0.1:
            return
        before = now
    raise AssertionError("the server still computes an answer that nobody waits for")


def cpu_s(pid: int) -> float:
    """Returns the processor time that a process has used, where the system says so."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        pytest.skip("needs the server's process in /proc")
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
