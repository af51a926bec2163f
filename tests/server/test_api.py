"""What the API answers."""

from __future__ import annotations

import base64
import json
import threading

import numpy as np
import pytest
from tests.server.conftest import busy

from tintype.image.file import read_image
from tintype.inference.translator import Translator

PNG = {"Content-Type": "image/png"}


def test_a_picture_comes_back_as_the_model_makes_it_alone(client, models, encoded, tmp_path):
    data = encoded(3)
    answer = client.post("/v1/translate", content=data, headers=PNG)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    (tmp_path / "a.png").write_bytes(data)
    expected = Translator(models["plain"])(tmp_path / "a.png")
    found = read_image(answer.content)
    assert np.abs(found.pixels - np.rint(255 * expected.pixels) / 255).max() < 1e-6
    assert answer.headers["x-tintype-model"] == "plain"
    assert (answer.headers["x-tintype-width"], answer.headers["x-tintype-height"]) == ("48", "40")
    assert "colour was predicted by plain.onnx" in answer.headers["x-tintype-provenance"]
    assert json.loads(answer.headers["x-tintype-notes"]) == []
    assert len(answer.content) == int(answer.headers["content-length"])


def test_a_form_with_fields_gives_the_same_as_a_body_with_a_query(client, encoded):
    data = encoded(4)
    by_query = client.post("/v1/translate?strength=0.5&format=webp", content=data, headers=PNG)
    by_form = client.post("/v1/translate", files={"picture": data}, data={"strength": "0.5", "format": "webp"})
    assert by_query.status_code == by_form.status_code == 200
    assert by_form.headers["content-type"] == "image/webp"
    assert by_form.content == by_query.content


@pytest.mark.parametrize(
    ("given", "media_type"),
    [("png", "image/png"), ("jpg", "image/jpeg"), ("tif", "image/tiff"), ("avif", "image/avif")],
)
def test_the_result_has_the_format_that_is_asked_for(client, encoded, given, media_type):
    answer = client.post(f"/v1/translate?format={given}", content=encoded(1), headers=PNG)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert read_image(answer.content).pixels.shape == (40, 48, 3)


def test_a_fits_file_goes_in_and_comes_out(client, encoded):
    data = client.post("/v1/translate?format=fits", content=encoded(1), headers=PNG).content
    assert data.startswith(b"SIMPLE  =")
    answer = client.post("/v1/translate", content=data, headers={"Content-Type": "application/fits"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/fits")


@pytest.mark.parametrize("ask", [{"params": {"answer": "json"}}, {"headers": {"Accept": "application/json"}}])
def test_json_has_the_picture_and_all_that_is_known_of_it(client, encoded, ask):
    ask = {**ask, "headers": {**PNG, **ask.get("headers", {})}}
    answer = client.post("/v1/translate", content=encoded(2), **ask).json()
    assert read_image(base64.b64decode(answer["picture"], validate=True)).pixels.shape == (40, 48, 3)
    assert (answer["width"], answer["height"], answer["format"], answer["model"]) == (48, 40, "png", "plain")
    assert answer["provenance"]["settings"] == {"strength": "1"}
    assert answer["timings"]["work_ms"] > 0
    assert answer["scores"] == {}


@pytest.mark.parametrize("accept", ["*/*", "image/*, application/json;q=0.9", "image/png", "nonsense;q=x", ""])
def test_where_a_picture_is_as_welcome_as_json_it_is_the_picture(client, encoded, accept):
    answer = client.post("/v1/translate", content=encoded(2), headers={**PNG, "Accept": accept})
    assert answer.headers["content-type"] == "image/png"


def test_size_shrinks_and_never_enlarges(client, encoded):
    data = encoded(5, height=30, width=90)
    small = client.post("/v1/translate?size=45", content=data, headers=PNG)
    assert read_image(small.content).pixels.shape == (15, 45, 3)
    assert json.loads(small.headers["x-tintype-notes"]) == ["reduced from 90 x 30 pixels"]
    same = client.post("/v1/translate?size=900", content=data, headers=PNG)
    assert read_image(same.content).pixels.shape == (30, 90, 3)


def test_a_seed_gives_the_same_result_each_time_and_another_seed_another_one(client, encoded):
    def ask(seed):
        return client.post(f"/v1/translate?model=noisy&seed={seed}", content=encoded(6), headers=PNG).content

    assert ask(1) == ask(1) != ask(2)


def hints_at(*places):
    return json.dumps([{"x": x, "y": y, "colour": colour} for x, y, colour in places])


@pytest.mark.parametrize("size", [None, 50])
def test_hints_colour_the_picture_where_they_are_whatever_size_it_comes_back_in(client, encoded, size):
    data = encoded(pixels=np.full((80, 100, 1), 0.5, np.float32))
    fields = {"model": "hinted", "hints": hints_at((25, 40, "#c02020"), (75, 40, "#2020c0"))}
    if size is not None:
        fields["size"] = str(size)
    answer = client.post("/v1/translate", files={"picture": data}, data=fields)
    assert answer.status_code == 200, answer.text
    pixels = read_image(answer.content).pixels
    height, width = pixels.shape[:2]
    left, right = pixels[height // 2, width // 4], pixels[height // 2, width * 3 // 4]
    assert left[0] > left[2] + 0.05 and right[2] > right[0] + 0.05
    assert "hints=2" in answer.headers["x-tintype-provenance"]


@pytest.mark.parametrize(
    ("model", "hints", "said"),
    [
        ("hinted", "no json", "hints"),
        ("hinted", '[{"x": 1, "y": 1}]', "colour"),
        ("hinted", hints_at((500, 1, "#123456")), "lies outside"),
        ("plain", hints_at((1, 1, "#123456")), "hints"),
    ],
)
def test_hints_that_make_no_sense_are_refused(client, encoded, model, hints, said):
    answer = client.post("/v1/translate", params={"model": model, "hints": hints}, content=encoded(1), headers=PNG)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_a_reference_gives_its_colours(client, encoded):
    data = encoded(1)
    reference = np.random.default_rng(0).uniform(0, 0.5, (40, 40, 3)).astype(np.float32)
    reference[..., 0] += 0.5
    answer = client.post("/v1/translate", files={"picture": data, "reference": encoded(pixels=reference)})
    assert answer.status_code == 200, answer.text
    assert answer.content != client.post("/v1/translate", files={"picture": data}).content
    assert "reference=picture" in answer.headers["x-tintype-provenance"]
    grey = client.post("/v1/translate", files={"picture": data, "reference": data})
    assert grey.status_code == 422 and "no colour to take" in grey.json()["detail"]


def test_models_are_listed_with_what_they_take(client):
    listed = {model["name"]: model for model in client.get("/v1/models").json()["models"]}
    assert list(listed) == ["plain", "noisy", "other", "hinted"]
    assert listed["plain"]["predicts_colour"] and not listed["plain"]["makes_many"]
    assert listed["noisy"]["makes_many"] and listed["noisy"]["inputs"] == ["source", "noise"]
    assert not listed["other"]["predicts_colour"]
    assert listed["plain"]["directions"] == ["ab"]


def test_health_is_open_and_metrics_count(client, encoded):
    client.post("/v1/translate", content=encoded(1), headers=PNG)
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").status_code == 200
    text = client.get("/metrics").text
    for name in (
        'tintype_requests_total{route="/v1/translate",status="200"}',
        'tintype_request_seconds_bucket{le="0.5",route="/v1/translate"}',
        *("tintype_queue_waiting", "tintype_in_work", "tintype_batch_pictures_count", "tintype_sent_bytes_total"),
    ):
        assert name in text


def test_the_page_of_the_description_loads_nothing_from_elsewhere(client):
    page = client.get("/docs")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for name in ("docs/swagger-ui.css", "docs/swagger-ui-bundle.js", "docs/start.js"):
        assert f'"{name}"' in page.text
        assert client.get(f"/{name}").status_code == 200
    assert "//" not in page.text.replace("</", "")
    assert client.get("/", follow_redirects=False).headers["location"] == "docs"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("strength=strong", "strength: Input should be a valid number"),
        ("strength=nan", "strength"),
        ("strenght=1", "strenght: there is no such field"),
        ("model=nobody", "model nobody: there is none of that name; choose plain, noisy, other or hinted"),
        ("direction=ba", "direction ba: this model goes ab only"),
        ("seed=3", "seed 3: this model makes one result"),
        ("size=0", "size"),
        ("format=bmp", "format"),
        ("model=other&strength=0.5", "strength 0.5 has no meaning for this model"),
        ("model=other&keep_colour=true", "keeping colour has no meaning"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_line_that_says_why(client, encoded, query, said):
    answer = client.post(f"/v1/translate?{query}", content=encoded(1), headers=PNG)
    problem = answer.json()
    assert answer.status_code == problem["status"] == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] == "invalid" and said in problem["detail"] and "\n" not in problem["detail"]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"files": {"picture": b""}}, "holds no picture"),
        ({"files": {"other": b"x"}}, "unknown file"),
        ({"files": [("picture", b"x"), ("picture", b"y")]}, "the form"),
        ({"files": {"picture": b"x"}, "data": {"colour": "red"}}, "colour: there is no such field"),
        ({"files": {"picture": b"x"}, "data": {"size": "5", "strength": ["1", "2"]}}, "a field twice"),
        ({"data": {"picture": "x"}, "files": {"x": b""}}, "the form"),
        ({"files": {"picture": b"x"}, "params": {"size": 5}, "data": {"size": "5"}}, "both in the query and in"),
        ({"content": b"no form", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, ""),
        ({"content": b"no form", "headers": {"Content-Type": "multipart/form-data"}}, "the form cannot be read"),
    ],
)
def test_forms_that_make_no_sense_are_refused(client, form, said):
    answer = client.post("/v1/translate", **form)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("data", [b"no picture at all", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_picture_is_refused(client, data):
    answer = client.post("/v1/translate", content=data, headers={"Content-Type": "application/octet-stream"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unreadable_picture")


def test_a_picture_that_was_cut_short_is_refused(client, encoded):
    data = encoded(1, height=200, width=200)
    answer = client.post("/v1/translate", content=data[: len(data) // 2], headers=PNG)
    assert (answer.status_code, answer.json()["code"]) == (415, "unreadable_picture")


def test_a_body_of_another_type_is_refused_before_it_is_read(client, encoded):
    answer = client.post("/v1/translate", content=encoded(1), headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_other_addresses_and_methods_are_problems_too(client):
    assert client.get("/nowhere").json()["code"] == "not_found"
    answer = client.put("/v1/translate")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["code"] == "method_not_allowed"


def test_a_result_that_its_format_cannot_hold_is_the_fault_of_the_request(client, encoded):
    data = encoded(pixels=np.zeros((2, 20_000, 1), np.float32))
    answer = client.post("/v1/translate?format=webp&model=plain", content=data, headers=PNG)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("result: cannot be written")


def test_a_defect_is_a_500_without_details_and_a_log_line_with_its_place(make_client, encoded, monkeypatch, caplog):
    def broken(*_):
        raise ZeroDivisionError("secret")

    client = make_client("plain")
    monkeypatch.setattr("tintype.server.service.translate_into", broken)
    with caplog.at_level("INFO", "tintype.server"):
        answer = client.post("/v1/translate", content=encoded(1), headers=PNG)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    line = json.loads(caplog.messages[-1])
    assert line["error"].startswith("ZeroDivisionError < broken") and "secret" not in caplog.messages[-1]


def test_many_requests_at_a_time_get_each_its_own_answer(make_client, encoded):
    client = make_client("plain", queue=20)
    pictures = [encoded(seed) for seed in range(12)]
    alone = [client.post("/v1/translate", content=data, headers=PNG).content for data in pictures]
    found = [b""] * len(pictures)

    def ask(number):
        found[number] = client.post("/v1/translate", content=pictures[number], headers=PNG).content

    with busy(client.app.state.service):
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(pictures))]
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert found == alone
    assert len(set(alone)) == len(alone)


def test_the_log_has_a_line_for_each_request_and_nothing_of_its_content(client, encoded, caplog):
    with caplog.at_level("INFO", "tintype.server"):
        answer = client.post(
            "/v1/translate/", params={"model": "secret-name"}, content=encoded(1), headers=PNG, follow_redirects=True
        )
        client.post("/v1/translate", files={"picture": ("secret-name.png", encoded(1))})
    lines = [json.loads(message) for message in caplog.messages]
    assert "secret-name" not in "".join(caplog.messages)
    assert lines[-1]["status"] == 200
    assert (lines[-1]["width"], lines[-1]["height"], lines[-1]["model"]) == (48, 40, "plain")
    assert lines[-1]["route"] == "/v1/translate" and lines[-1]["bytes_out"] > 0 and lines[-1]["queue_ms"] >= 0
    assert lines[0]["id"] and answer.headers["x-request-id"]
