"""What the server refuses to take on, and when it takes up less."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import pytest
from tests.server.conftest import busy

from tintype.errors import LimitError
from tintype.server.jobs import StoppingError
from tintype.server.service import Asked

PNG = {"Content-Type": "image/png"}


def test_a_body_that_says_it_is_too_long_is_not_read(make_client):
    client = make_client("plain", max_bytes=1000)
    answer = client.post("/v1/translate", content=bytes(1001), headers=PNG)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert "1,000 bytes" in answer.json()["detail"]


def test_a_body_that_does_not_say_how_long_it_is_is_read_to_the_limit(make_client):
    client = make_client("plain", max_bytes=1000)
    answer = client.post("/v1/translate", content=(bytes(100) for _ in range(20)), headers=PNG)
    assert answer.status_code == 413
    assert client.app.state.service.queue.idle


def test_a_picture_with_too_many_pixels_is_refused_by_its_header(make_client, encoded):
    client = make_client("plain", max_pixels=1919)
    answer = client.post("/v1/translate", content=encoded(0), headers=PNG)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert "48 x 40 pixels, more than the 1,919" in answer.json()["detail"]


@pytest.mark.parametrize("magic", [b"P5 9999 9999 255\n"])
def test_formats_that_libvips_does_not_read_have_the_same_limit(make_client, magic):
    answer = make_client("plain", max_pixels=10_000).post("/v1/translate", content=magic + bytes(50), headers=PNG)
    assert answer.status_code == 413


def test_work_that_takes_too_long_is_ended(make_client, encoded):
    client = make_client("plain", time_limit=0.0001)
    with pytest.raises(LimitError, match="takes longer than"):
        client.app.state.service.submit(Asked(picture=encoded(1))).future.result(20)


def test_a_body_that_does_not_arrive_in_time_gives_its_place_back(make_client):
    client = make_client("plain", time_limit=0.1)

    def slowly():
        yield b"\x89PNG"
        time.sleep(0.3)
        yield b""

    answer = client.post("/v1/translate", content=slowly(), headers=PNG)
    assert answer.status_code in (408, 415)  # the client of the tests sends a body whole where it can
    assert client.app.state.service.queue.idle


def test_a_full_queue_says_when_to_come_again(make_client, encoded):
    client = make_client("plain", workers=1, queue=0)
    with busy(client.app.state.service):
        answer = client.post("/v1/translate", content=encoded(1), headers=PNG)
    assert (answer.status_code, answer.json()["code"]) == (429, "queue_full")
    assert int(answer.headers["retry-after"]) >= 1
    assert client.post("/v1/translate", content=encoded(1), headers=PNG).status_code == 200


def test_bytes_that_wait_are_limited_all_together(make_client, encoded):
    client = make_client("plain", workers=1, queue=100, max_bytes=20_000)
    service = client.app.state.service
    places = [service.queue.take_place(20_000) for _ in range(8)]
    assert client.post("/v1/translate", content=encoded(1), headers=PNG).status_code == 429
    for place in places:
        service.queue.leave(place)
    assert client.post("/v1/translate", content=encoded(1), headers=PNG).status_code == 200


def test_nothing_new_is_begun_while_it_stops_and_what_waits_is_done(make_client, encoded):
    client = make_client("plain", workers=1)
    service = client.app.state.service
    answers = []
    with busy(service):
        waiting = threading.Thread(
            target=lambda: answers.append(client.post("/v1/translate", content=encoded(1), headers=PNG))
        )
        waiting.start()
        while service.queue.waiting < 1:
            time.sleep(0.005)
        service.queue.stop()
        refused = client.post("/v1/translate", content=encoded(2), headers=PNG)
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").json() == {"status": "stopping"}
        with pytest.raises(StoppingError):
            service.submit(Asked(picture=encoded(1)))
    waiting.join(20)
    assert (refused.status_code, refused.json()["code"]) == (503, "stopping")
    assert refused.headers["connection"] == "close"
    assert answers[0].status_code == 200


def test_temporary_files_are_gone_when_the_answer_is_there(make_client, encoded, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    client = make_client("plain")
    assert client.post("/v1/translate", content=encoded(1, height=300, width=400), headers=PNG).status_code == 200
    assert client.post("/v1/translate", content=encoded(1)[:300], headers=PNG).status_code == 415
    assert list(tmp_path.iterdir()) == []


def test_a_large_result_comes_back_whole(make_client, encoded):
    noise = np.random.default_rng(0).random((1500, 1500, 1), np.float32)
    answer = make_client("plain", time_limit=60).post(
        "/v1/translate?format=tif", content=encoded(pixels=noise), headers=PNG
    )
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["content-length"]) > 2**22


def test_notes_are_given_in_ascii(make_client, encoded):
    colour = np.random.default_rng(0).random((20, 20, 3), np.float32)
    answer = make_client("plain").post("/v1/translate", content=encoded(pixels=colour), headers=PNG)
    assert "its own colour was replaced" in json.loads(answer.headers["x-tintype-notes"])
