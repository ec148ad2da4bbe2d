"""Web pages that ask, as far as their browsers can be imitated by a client that sends what they send."""

import pytest

BODY = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:5173", "http://[::1]:8080"])
def test_pages_of_this_machine_are_served(client, base_url, origin):
    wanted = "authorization,content-type,x-stainless-os"
    asked = client._client.request(
        "OPTIONS",
        f"{base_url}/v1/chat/completions",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": wanted,
        },
    )
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == origin
    assert asked.headers["access-control-allow-headers"] == wanted
    reply = client._client.post(f"{base_url}/v1/chat/completions", headers={"Origin": origin}, json=BODY)
    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "http://localhost.evil.example"])
def test_pages_of_other_origins_are_not(client, base_url, origin):
    for method, path in [("GET", "/v1/models"), ("POST", "/v1/chat/completions"), ("OPTIONS", "/v1/chat/completions")]:
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        reply = client._client.request(method, base_url + path, headers=headers, json=BODY)
        assert reply.status_code == 403
        assert "access-control-allow-origin" not in reply.headers
