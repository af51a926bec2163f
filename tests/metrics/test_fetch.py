from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tintype.errors import InputError, OutputError
from tintype.metrics import fetch
from tintype.metrics.fetch import CACHE_VARIABLE, PublishedWeights, cache_folder, fetch_weights

pytest.importorskip("pooch")

CONTENT = b"weights" * 1000


@pytest.fixture
def server():
    """A server that has the file under /weights.pth; `asked` counts."""

    class Handler(BaseHTTPRequestHandler):
        asked = 0

        def do_GET(self):
            Handler.asked += 1
            self.send_response(200 if self.path == "/weights.pth" else 404)
            self.send_header("Content-Length", str(len(CONTENT) if self.path == "/weights.pth" else 0))
            self.end_headers()
            if self.path == "/weights.pth":
                self.wfile.write(CONTENT)

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Handler.port = http.server_port
    yield Handler
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def weights(server, tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    url = f"http://127.0.0.1:{server.port}/weights.pth"
    return PublishedWeights("weights.pth", url, hashlib.sha256(CONTENT).hexdigest(), "none")


def test_weights_are_fetched_once(weights, server, tmp_path):
    path = fetch_weights(weights)
    assert path == tmp_path / "cache" / "weights.pth"
    assert path.read_bytes() == CONTENT
    assert fetch_weights(weights) == path
    assert server.asked == 1


def test_what_was_put_there_by_hand_is_taken_without_asking_anyone(weights, server, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "weights.pth").write_bytes(CONTENT)
    fetch_weights(weights)
    assert server.asked == 0


def test_what_is_not_the_published_file_is_neither_kept_nor_used(weights, tmp_path):
    with pytest.raises(InputError, match="not the published file, whose sha256 begins with 00000000"):
        fetch_weights(replace(weights, sha256="0" * 64))
    assert list((tmp_path / "cache").iterdir()) == []


def test_another_file_in_its_place_is_named_and_left_alone(weights, tmp_path):
    (tmp_path / "cache").mkdir()
    path = tmp_path / "cache" / "weights.pth"
    path.write_bytes(b"mine")
    with pytest.raises(InputError, match="delete it") as caught:
        fetch_weights(weights)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize("fault", ["offline", "gone"])
def test_without_a_network_the_error_names_the_file_and_where_to_put_it(weights, tmp_path, fault):
    if fault == "offline":
        weights = replace(weights, url="http://127.0.0.1:1/weights.pth")
    else:
        weights = replace(weights, url=weights.url.replace("weights.pth", "elsewhere"))
    with pytest.raises(InputError) as caught:
        fetch_weights(weights)
    message = str(caught.value)
    assert weights.url in message
    assert f"put it at {tmp_path / 'cache' / 'weights.pth'}" in message
    assert ("you are online" if fault == "offline" else "answers 404") in message
    assert "\n" not in message


def test_a_cache_that_cannot_be_written_is_an_error_of_one_line(weights, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.raises(OutputError, match=CACHE_VARIABLE) as caught:
        fetch_weights(weights)
    assert "\n" not in str(caught.value)


def test_the_cache_is_that_of_the_user_unless_named_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    assert "tintype" in cache_folder().name.lower()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert cache_folder() == tmp_path


@pytest.mark.parametrize("weights", [fetch.INCEPTION, fetch.ALEXNET, fetch.VGG16], ids=lambda weights: weights.name)
def test_published_names_carry_the_beginning_of_their_hash(weights):
    assert f"-{weights.sha256[:8]}.pth" in weights.name
    assert weights.url.endswith(weights.name)
    assert len(weights.sha256) == 64
