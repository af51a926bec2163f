"""Who may ask."""

from __future__ import annotations

import base64

import pytest

from tintype.errors import UsageError
from tintype.server.auth import check_binding

TOKEN = "a-token-of-many-letters"
PNG = {"Content-Type": "image/png"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.53"])
def test_this_machine_alone_needs_no_token(host):
    check_binding(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.org"])
def test_other_addresses_need_one(host):
    with pytest.raises(UsageError, match=r"--host .*: other machines could use the server; set a token"):
        check_binding(host, None)
    check_binding(host, TOKEN)


@pytest.mark.parametrize("token", ["", "short", "sixteen letters\n and a line", "é" * 20])
def test_a_token_that_can_be_guessed_or_sent_by_nobody_is_refused(token):
    with pytest.raises(UsageError, match="--token: needs at least 16 letters of ASCII"):
        check_binding("127.0.0.1", token)


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer", "Basic !", "Basic " + "w" * 8, TOKEN])
def test_without_the_token_only_health_is_open(make_client, authorization):
    client = make_client("plain", token=TOKEN)
    headers = {} if authorization is None else {"Authorization": authorization}
    for path in ("/v1/models", "/metrics", "/docs", "/openapi.json", "/", "/nowhere"):
        answer = client.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["code"] == "token_needed"
    assert client.get("/healthz", headers=headers).status_code == 200
    assert client.get("/readyz", headers=headers).status_code == 200


def test_the_token_opens_everything_as_bearer_and_as_password(make_client, encoded):
    client = make_client("plain", token=TOKEN)
    basic = base64.b64encode(f"anyone:{TOKEN}".encode()).decode()
    for authorization in (f"Bearer {TOKEN}", f"bearer  {TOKEN}", f"Basic {basic}"):
        headers = {"Authorization": authorization}
        assert client.get("/v1/models", headers=headers).status_code == 200
    answer = client.post("/v1/translate", content=encoded(1), headers={**PNG, "Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    description = client.get("/openapi.json", headers=headers).json()
    assert description["paths"]["/v1/translate"]["post"]["security"] == [{"bearer": []}, {"basic": []}]
    assert "security" not in description["paths"]["/healthz"]["get"]


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:80", "LOCALHOST"])
def test_names_of_this_machine_are_let_in(client, host):
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "[::1", "127.0.0.1@evil.example"])
def test_a_name_that_was_made_to_mean_this_machine_is_not(client, host):
    answer = client.get("/v1/models", headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_with_a_token_any_name_may_mean_the_server(make_client):
    client = make_client("plain", token=TOKEN)
    headers = {"Host": "pictures.example", "Authorization": f"Bearer {TOKEN}"}
    assert client.get("/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:9"])
def test_pages_of_other_origins_cannot_send_work(client, encoded, origin):
    answer = client.post("/v1/translate", content=encoded(1), headers={**PNG, "Origin": origin})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in client.get("/v1/models", headers={"Origin": origin}).headers


def test_pages_of_its_own_can(client, encoded):
    headers = {**PNG, "Origin": "http://localhost"}
    assert client.post("/v1/translate", content=encoded(1), headers=headers).status_code == 200


def test_every_answer_says_what_browsers_should_not_do(client):
    for path in ("/docs", "/nowhere", "/v1/models"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"
