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
from dataclasses import dataclass

import openai
import pytest

START_S = 120


@dataclass(frozen=True)
class Server:
    """`stack serve` with the chat model."""

    url: str
    model: str

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"


@pytest.fixture(scope="session")
def server():
    binary, model = os.environ.get("STACK_BINARY"), os.environ.get("STACK_MODEL")
    if not binary or not model:
        pytest.exit("STACK_BINARY and STACK_MODEL are not set: run `.ci/deep`", 2)
    process = subprocess.Popen(
        [binary, "serve", "--port", "0", "-m", model],
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
        yield Server(url, served.id)
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
