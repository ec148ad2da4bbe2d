"""The official clients against a server that is open to others: TLS, and keys that are made and revoked while it runs.

`cargo test -p stack-e2e` starts the server and sets `STACK_BASE_URL`, `STACK_CA`, the keys `STACK_KEY` (may ask `default`
three times a minute) and `STACK_READ_KEY` (may only read), `STACK_BINARY` and `STACK_HOME`.
"""

import os
import ssl
import subprocess

import openai

URL = os.environ["STACK_BASE_URL"]
CONTEXT = ssl.create_default_context(cafile=os.environ["STACK_CA"])
MESSAGES = [{"role": "user", "content": "Once upon a time"}]


def openai_client(key: str) -> openai.OpenAI:
    http = openai.DefaultHttpxClient(verify=CONTEXT, timeout=60)
    return openai.OpenAI(base_url=f"{URL}/v1", api_key=key, max_retries=0, http_client=http)


def refused(kind, ask):
    try:
        ask()
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}")


def chat(client: openai.OpenAI, **more):
    return client.chat.completions.create(model="default", messages=MESSAGES, max_tokens=8, **more)


def check_openai() -> None:
    client = openai_client(os.environ["STACK_KEY"])
    assert [model.id for model in client.models.list()] == ["default"]
    assert chat(client).choices[0].message.content
    streamed = [chunk.choices[0].delta.content or "" for chunk in chat(client, stream=True) if chunk.choices]
    assert "".join(streamed)
    assert refused(openai.AuthenticationError, lambda: chat(openai_client("sk-stack-wrong"))).code == "invalid_api_key"
    reader = openai_client(os.environ["STACK_READ_KEY"])
    assert refused(openai.PermissionDeniedError, lambda: chat(reader)).code == "access_denied"
    assert chat(client).usage.total_tokens > 0
    limited = refused(openai.RateLimitError, lambda: chat(client))
    assert limited.code == "rate_limit_exceeded" and 1 <= int(limited.response.headers["retry-after"]) <= 61


def check_anthropic() -> None:
    try:
        import anthropic
    except ImportError:
        print("SKIPPED: the anthropic client is not installed")
        return
    # Its key goes in one header, its token in the other; both name the same key.
    key = new_key("anthropic")
    for login in [{"api_key": key}, {"api_key": None, "auth_token": key}, {"api_key": key, "auth_token": key}]:
        http = anthropic.DefaultHttpxClient(verify=CONTEXT, timeout=60)
        client = anthropic.Anthropic(base_url=URL, max_retries=0, http_client=http, **login)
        answer = client.messages.create(model="default", messages=MESSAGES, max_tokens=8)
        assert answer.content[0].text
    wrong = anthropic.Anthropic(base_url=URL, api_key="sk-stack-wrong", max_retries=0, http_client=anthropic.DefaultHttpxClient(verify=CONTEXT))
    refused(anthropic.AuthenticationError, lambda: wrong.messages.count_tokens(model="default", messages=MESSAGES))


def check_revocation() -> None:
    """A stream that is under way when its key is revoked is finished; the next request is refused."""
    client = openai_client(new_key("leaving"))
    stream = client.chat.completions.create(model="default", messages=MESSAGES, max_tokens=64, stream=True)
    first = next(iter(stream))
    stack("auth", "token", "revoke", "leaving")
    rest = list(stream)
    assert first.choices and rest[-1].choices[0].finish_reason in ("stop", "length")
    refused(openai.AuthenticationError, lambda: chat(client))


def new_key(name: str) -> str:
    return stack("auth", "token", "create", "--name", name).strip()


def stack(*arguments: str) -> str:
    return subprocess.run([os.environ["STACK_BINARY"], *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


check_openai()
check_anthropic()
check_revocation()
print("the official clients are served over TLS, with keys")
