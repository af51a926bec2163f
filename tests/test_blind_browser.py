"""The page of a human test in a real browser: answered by clicks and keys, saved, scored, and silent on the network."""

from __future__ import annotations

import json
import re
import sys
import time

import pytest
from tests.blind_models import untrained_run
from tests.browser import CHROMIUM, chromium
from typer.testing import CliRunner

from tintype.blind import Wanted, write_blind
from tintype.blind_answers import read_answers
from tintype.cli import app

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None or sys.platform == "win32", reason="no Chromium on the path"),
]

ASKED = (
    "!document.querySelector('#trial').hidden && !document.querySelector('#choices').hidden"
    " && !document.querySelector('#choices').classList.contains('waiting')"
)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory, picture_set):
    """A page of ten pictures and one practice round, each picture shown for a tenth of a second."""
    folder = tmp_path_factory.mktemp("blind")
    few = [f"data.path={picture_set}", "data.split.test=0.99", "data.split.validation=0"]
    untrained_run(folder / "run", "tiny", few)
    wanted = Wanted(count=10, practice=1, controls=0.5, exposure=0.1)
    return write_blind(folder / "run", folder / "test.html", wanted=wanted).path


def test_answers_by_clicks_and_keys_are_saved_and_scored(page_file, tmp_path):
    with chromium(tmp_path) as page:
        page.open(page_file.as_uri())
        page.value("document.querySelector('#begin').focus()")
        page.press("Enter")
        page.until(ASKED)
        page.click("#generated")
        page.until("!document.querySelector('#feedback').hidden")
        assert re.match(
            r"(Right|Wrong): this one is (real|generated)\.", page.value("document.querySelector('#told').textContent")
        )
        page.press("Enter")  # the button "Next" has the focus
        page.until("!document.querySelector('#ready').hidden")
        page.click("#go")
        said = []
        for number in range(10):
            page.until(f"{ASKED} && document.querySelector('#stage').textContent === 'Picture {number + 1} of 10'")
            if number == 0:  # what is seen for a tenth of a second disappears, and the question stays
                page.until("document.querySelector('#picture').classList.contains('off')")
                assert page.value(ASKED)
            how = number % 4
            said.append("real" if how in (0, 2) else "generated")
            match how:
                case 0:
                    page.click("#real")
                case 1:
                    page.click("#generated")
                case 2:
                    page.press("ArrowLeft")
                case 3:
                    page.press("g")
            page.press("r")  # between two pictures: must not count
        page.until("!document.querySelector('#end').hidden")
        result = page.value("document.querySelector('#result').textContent")
        page.value("document.querySelector('#nickname').focus()")
        page.call("Input.insertText", text="</script> \u00c4nn")
        page.click("#save")
        file = saved(tmp_path / "downloads")
        assert page.errors == []
        assert [
            url for url in page.requests if not url.startswith(("data:image/png;base64,", page_file.as_uri()))
        ] == []
        assert len(page.requests) == 1 + 1 + 10

    answers = read_answers(file)
    assert [answer.said for answer in answers.answers] == said
    assert answers.nickname == "</script> \u00c4nn"
    assert all(0 < answer.ms < 60_000 for answer in answers.answers)
    scored = CliRunner().invoke(app, ["blind", "--score", str(file), "--json", "-"])
    assert scored.exit_code == 0, scored.output
    scores = json.loads(scored.output)
    fooled, shown, rate = map(int, re.search(r"with (\d+) of its (\d+) pictures: .* rate of (\d+) %", result).groups())
    assert scores["fooling_rate"]["mean"] == fooled / shown
    assert rate == round(100 * fooled / shown)


def test_a_request_that_a_page_would_make_is_seen_and_this_one_forbids_it(page_file, tmp_path):
    """The test above could not fail if requests were not noticed, or if the policy let them through."""
    with chromium(tmp_path) as page:
        (tmp_path / "open.html").write_text("<img src='http://192.0.2.1/seen.png'>")
        page.open((tmp_path / "open.html").as_uri())
        assert "http://192.0.2.1/seen.png" in page.requests
        page.requests.clear()
        page.open(page_file.as_uri())
        page.value("void fetch('http://192.0.2.1/sent').catch(() => {})")
        page.value("void (new Image().src = 'http://192.0.2.1/sent.png')")
        page.value("new Promise((done) => setTimeout(done, 300))", wait=True)
        assert [url for url in page.requests if url.startswith("http") and url not in page.blocked] == []
        assert "http://192.0.2.1/sent.png" in page.blocked
        assert any("Content Security Policy" in error for error in page.errors)


def test_another_session_has_another_order_and_another_name(page_file, tmp_path):
    orders = []
    with chromium(tmp_path) as page:
        for _ in range(2):
            page.open(page_file.as_uri())
            page.click("#begin")
            page.until(ASKED)
            page.press("r")
            page.press("Enter")
            page.until("!document.querySelector('#ready').hidden")
            page.click("#go")
            for number in range(10):
                page.until(f"{ASKED} && document.querySelector('#stage').textContent === 'Picture {number + 1} of 10'")
                page.press("ArrowRight")
            page.until("!document.querySelector('#end').hidden")
            orders.append(json.loads(page.value("document.querySelector('#text').value")))
    first, second = orders
    assert first["digest"] == second["digest"] and first["session"] != second["session"]
    assert [one["id"] for one in first["answers"]] != [one["id"] for one in second["answers"]]


def saved(folder):
    """The file that the browser has saved there, once it is whole."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if files := list(folder.glob("blind-*.json")):
            return files[0]
        time.sleep(0.05)
    raise TimeoutError("nothing was saved")
