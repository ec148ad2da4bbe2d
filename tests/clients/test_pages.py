"""The examples of the book, run as they stand.

The programs of a page belong together: the second goes on where the first ended.
"""

import os
import re
import subprocess
import sys

import pytest

from conftest import HERE, serve

GUIDES = HERE.parent.parent / "book" / "src" / "guides"
PAGES = ["anthropic", "ollama", "responses"]


@pytest.fixture(scope="module")
def url():
    """The server that every page starts: with the model called `default`. That of responses stores them."""
    with serve("--alias", "default", "--stored-responses", "100") as server:
        yield server.url


def program(page: str, language: str, url: str) -> str:
    text = (GUIDES / f"{page}.md").read_text()
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks, f"{page}.md has no example in {language}"
    return re.sub(r"http://127\.0\.0\.1:\d+", url, "\n".join(blocks))


def run(command: list[str], source: str, folder) -> str:
    done = subprocess.run(command, input=source, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_python(page, url):
    assert "Paris" in run([sys.executable, "-"], program(page, "python", url), HERE)


@pytest.mark.parametrize("page", PAGES)
def test_javascript(page, url):
    folder = os.environ.get("STACK_NODE")
    if not folder:
        pytest.skip("STACK_NODE, the folder with the clients for JavaScript, is not set: run `.ci/deep`")
    assert "Paris" in run(["node", "--input-type=module"], program(page, "js", url), folder)


def test_every_dialect_has_its_page():
    listed = (GUIDES.parent / "SUMMARY.md").read_text()
    for page in PAGES:
        assert f"(guides/{page}.md)" in listed
