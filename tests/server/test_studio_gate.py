"""Of what Gradio offers, the gate lets through what the page uses, bounds it, and names no path and no address."""

from __future__ import annotations

import json

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from tintype.server.studio_gate import Gate


@pytest.fixture
def uploads(tmp_path):
    folder = tmp_path / "uploads"
    folder.mkdir()
    return folder


@pytest.fixture
def client(uploads):
    async def echo(request):
        return PlainTextResponse(await request.body())

    app = Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST", "PUT", "DELETE"])])
    app.add_middleware(Gate, prefix="/studio", folder=uploads, max_bytes=1000, held_bytes=2000)
    return TestClient(app)


@pytest.mark.parametrize(
    "path",
    ["/studio/", "/studio/config", "/studio/assets/index.js", "/studio/gradio_api/queue/data?session_hash=a"],
)
def test_what_the_page_asks_for_passes_with_a_policy_that_forbids_other_hosts(client, path):
    answer = client.get(path)
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "http" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/studio/gradio_api/info"),
        ("GET", "/studio/gradio_api/openapi.json"),
        ("GET", "/studio/gradio_api/proxy=http://192.0.2.1/"),
        ("GET", "/studio/gradio_api/file=http://192.0.2.1/"),
        ("GET", "/studio/gradio_api/file=https:/192.0.2.1/"),
        ("GET", "/studio/monitoring"),
        ("POST", "/studio/gradio_api/vibe-edit"),
        ("POST", "/studio/gradio_api/run/predict"),
        ("POST", "/studio/gradio_api/call/show"),
        ("POST", "/studio/gradio_api/process_recording"),
        ("POST", "/studio/login"),
        ("DELETE", "/studio/config"),
    ],
)
def test_everything_else_that_gradio_offers_is_not_there(client, method, path):
    assert client.request(method, path).status_code == 404


def test_other_parts_of_the_app_are_left_alone(client):
    assert client.delete("/v1/translate").status_code == 200
    assert "content-security-policy" not in client.get("/studios").headers


def test_a_request_for_work_reaches_gradio_as_it_was(client, uploads):
    body = {"data": [{"path": str(uploads / "a" / "b.png"), "meta": {"_type": "gradio.FileData"}}, None, 1.5, "x"]}
    answer = client.post("/studio/gradio_api/queue/join", json=body)
    assert (answer.status_code, answer.json()) == (200, body)


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "uploads/../../etc/passwd", "http://192.0.2.1/a.png", "a\0b", 7, {"path": "/etc/passwd"}, ["/etc"]],
)
def test_a_request_for_work_may_name_no_file_but_what_was_uploaded(client, path):
    body = json.dumps({"data": [[{"deep": {"path": path}}]]})
    assert client.post("/studio/gradio_api/queue/join", content=body).status_code == 400


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 5000, json.dumps([[[[[[[[[[[[[1]]]]]]]]]]]]]).encode()])
def test_a_request_for_work_that_is_none_is_refused(client, body):
    assert client.post("/studio/gradio_api/queue/join", content=body).status_code == 400


def test_a_request_for_work_of_any_length_is_not_read(client):
    assert client.post("/studio/gradio_api/queue/join", content=b" " * (2**20 + 1)).status_code == 400


def test_uploads_are_bounded_one_by_one_and_together(client, uploads):
    assert client.post("/studio/gradio_api/upload", content=b"a" * 1000).status_code == 200
    assert client.post("/studio/gradio_api/upload", content=b"a" * 1001).status_code == 413
    (uploads / "of another").write_bytes(b"a" * 1500)
    refused = client.post("/studio/gradio_api/upload", content=b"a" * 900)
    assert refused.status_code == 413 and "try again" in refused.text
    assert client.post("/studio/gradio_api/upload", content=iter([b"a"])).status_code == 413
