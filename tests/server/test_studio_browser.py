"""The studio in a real browser, served by `tintype serve`: what visitors do by clicks and keys, and what they get."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
import time
import zipfile
from urllib.request import urlopen

import numpy as np
import pytest
from tests.browser import CHROMIUM, chromium
from tests.conftest import make_picture
from tests.inference.conftest import write_hinted_model, write_noisy_model
from typer.testing import CliRunner

from tintype.cli import app
from tintype.image.file import read_image, write_image

pytest.importorskip("gradio")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None or sys.platform == "win32", reason="no Chromium on the path"),
]

DONE = "/original/.test(document.querySelector('#status').textContent)"
AFTER = "document.querySelectorAll('#pair img')[1]?.src"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("studio")


@pytest.fixture(scope="module")
def models(folder):
    return {
        "hinted": write_hinted_model(folder / "hinted.onnx"),
        "noisy": write_noisy_model(folder / "noisy.onnx"),
    }


@pytest.fixture(scope="module")
def runs(folder):
    run = folder / "runs" / "first"
    (run / "samples").mkdir(parents=True)
    (run / "recipe.yaml").write_text("training: {steps: 40}")
    write_image(run / "samples" / "step-000020.png", make_picture(0))
    add_steps(run, 10, 20)
    return run


def add_steps(run, *steps):
    with (run / "events.jsonl").open("a") as file:
        for step in steps:
            file.write(json.dumps({"event": "log", "step": step, "terms": {"g/l1": 1 / step}, "lr": 0.001}) + "\n")
            file.write(json.dumps({"event": "validation", "step": step, "scores": {"psnr": 20 + step / 10}}) + "\n")


@pytest.fixture(scope="module")
def server(folder, models, runs):
    """A server on loopback: its process and its address."""
    (folder / "blind.html").write_text("<!doctype html><title>blind</title><p>a test")
    options = [word for name, path in models.items() for word in ("--model", f"{name}={path}")]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tintype", "serve", *options, "--port", "0"),
                *("--runs", str(runs.parent), "--blind-test", str(folder / "blind.html")),
            ],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    line = process.stdout.readline()
    found = re.search(r"the studio at (http://127\.0\.0\.1:\d+)/studio/", line)
    assert found, line + (folder / "log.txt").read_text()
    yield process, found[1]
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture(scope="module")
def browser(folder):
    (folder / "browser").mkdir()
    with chromium(folder / "browser") as page:
        yield page


@pytest.fixture
def page(browser, server):
    """The studio, newly opened, in a window of a desktop; at the end nothing has gone wrong or gone elsewhere."""
    address = server[1]
    browser.resize(1280, 900)
    browser.requests.clear()
    browser.errors.clear()
    browser.open(f"{address}/studio/")
    browser.until("!!document.querySelector('#upload input[type=file]')")
    yield browser
    assert [url[:100] for url in browser.requests if not url.startswith((address, "data:", "blob:"))] == []
    assert browser.errors == []


@pytest.fixture
def grey(tmp_path):
    """A grey picture of 16 bits as TIFF, which no browser can show."""
    path = tmp_path / "Café 1.tif"
    write_image(path, make_picture(1, 48, 64)[..., :1] / np.float32(255), bits=16)
    return path


def open_tab(page, name):
    page.value(
        f"[...document.querySelectorAll('button[role=tab]')].find((b) => b.textContent.trim() === {name!r}).click()"
    )


def show(page, *files):
    page.upload("#upload", *files)
    page.until(DONE)
    page.until(f"!!{AFTER} && document.querySelector('#download') !== null")


def download(page, folder, button="#download"):
    """What a click on a button saves."""
    for file in folder.glob("*"):
        file.unlink()
    page.click(button)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        files = [file for file in folder.glob("*") if file.suffix != ".crdownload" and not file.name.startswith(".")]
        if files:
            return files[0]
        time.sleep(0.05)
    raise TimeoutError("nothing was saved")


def change(page, selector, text):
    """Type a value into a field, as a person with a keyboard does."""
    page.value(f"(() => {{ const e = document.querySelector({selector!r}); e.focus(); e.select(); }})()")
    page.call("Input.insertText", text=text)
    page.press("Enter")
    page.value("document.activeElement.blur()")


def test_a_picture_is_coloured_by_a_hint_and_strength_and_saved_as_the_command_writes_it(
    page, models, grey, folder, tmp_path
):
    show(page, grey)
    before = page.value(AFTER)
    page.click("#hints > button")
    page.until("document.querySelector('#canvas img')?.naturalWidth === 64")
    page.click("#canvas img")
    page.until("document.querySelector('#hint-list').textContent.includes('#3f6fb5')")
    page.until(f"{AFTER} !== {before!r}")
    hint = page.value("document.querySelector('#hint-list').textContent").split("1: ")[1].strip()
    x, y = map(float, hint.split(",")[:2])
    assert abs(x - 32) <= 1.5 and abs(y - 24) <= 1.5
    hinted = page.value(AFTER)
    change(page, "#strength input[type=number]", "0.5")
    page.until(f"{AFTER} !== {hinted!r} && {DONE}")
    saved = download(page, folder / "browser" / "downloads")
    arguments = ["--model", models["hinted"], "--out", tmp_path / "out", "--strength", "0.5", "--hint", hint]
    result = CliRunner().invoke(app, ["translate", str(grey), *map(str, arguments)])
    assert result.exit_code == 0, result.output
    assert saved.suffix == ".tif"
    assert saved.read_bytes() == (tmp_path / "out" / grey.name).read_bytes()
    assert read_image(saved).bits == 16


def test_hints_are_set_by_the_keyboard_undone_and_removed(page, grey):
    show(page, grey)
    page.click("#hints > button")
    page.until("document.querySelector('#canvas img')?.naturalWidth === 64")
    for number, (x, y) in enumerate((("10", "20"), ("30", "5"), ("64", "48")), 1):
        change(page, "#hint-x input", x)
        change(page, "#hint-y input", y)
        page.value("document.querySelector('#hint-add').focus()")
        page.press("Enter")
        page.until(f"document.querySelectorAll('#hint-list input[type=checkbox]').length === {number}")
    assert "30,5,#3f6fb5" in page.value("document.querySelector('#hint-list').textContent")
    page.click("#hint-undo")
    page.until("document.querySelectorAll('#hint-list input[type=checkbox]').length === 2")
    page.click("#hint-list input[type=checkbox]")
    page.click("#hint-remove")
    page.until("document.querySelectorAll('#hint-list input[type=checkbox]').length === 1")
    assert "30,5" in page.value("document.querySelector('#hint-list').textContent")
    page.click("#hint-clear")
    page.until("document.querySelectorAll('#hint-list input[type=checkbox]').length === 0")
    change(page, "#hint-x input", "65")
    page.click("#hint-add")
    page.until("document.querySelector('#status .problem')?.textContent.includes('64 x 48 pixels')")


def test_samples_are_shown_side_by_side_and_one_is_chosen(page, grey):
    page.value("document.querySelector('#model input').focus()")
    page.press("ArrowDown")
    page.until("!!document.querySelector('ul[role=listbox]')")
    page.value(
        "[...document.querySelectorAll('ul[role=listbox] li')].find((e) => e.textContent.includes('noisy'))"
        ".dispatchEvent(new MouseEvent('mousedown', {bubbles: true}))"
    )
    page.until("!!document.querySelector('#count input[type=number]')")
    show(page, grey)
    change(page, "#count input[type=number]", "3")
    page.until("document.querySelectorAll('#samples img').length === 3")
    first = page.value(AFTER)
    page.value("document.querySelectorAll('#samples button.thumbnail-lg')[2].click()")
    page.until("document.querySelector('#seed input').value === '2'")
    page.until(f"{AFTER} !== {first!r}")
    page.click("#unsure")
    page.until("document.querySelector('#spread img')?.naturalWidth > 64")


def test_what_is_no_picture_is_told_in_one_line(page, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG no picture")
    page.upload("#upload", tmp_path / "broken.png")
    page.until("!!document.querySelector('#status .problem')")
    line = page.value("document.querySelector('#status .problem').innerText").strip()
    assert line.startswith("broken.png: ") and "\n" not in line and "/" not in line


def test_a_batch_of_files_and_a_zip_becomes_a_zip(page, grey, folder, tmp_path):
    write_image(tmp_path / "b.png", make_picture(2, 30, 40)[..., :1] / np.float32(255))
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(tmp_path / "b.png", "deep/c.png")
        archive.writestr("deep/broken.png", b"no picture")
    open_tab(page, "Batch")
    page.until("!!document.querySelector('#batch-upload input[type=file]')")
    page.upload("#batch-upload", grey, tmp_path / "b.png", tmp_path / "more.zip")
    page.until("document.querySelector('#batch-begin')?.disabled === false")
    page.click("#batch-begin")
    page.until("document.querySelector('#batch-status').textContent.includes('3 of 4 done, 1 failed')")
    assert "broken.png: " in page.value("document.querySelector('#batch-table tr.failed').innerText")
    page.until("!!document.querySelector('#batch-download')")
    saved = download(page, folder / "browser" / "downloads", "#batch-download")
    with zipfile.ZipFile(io.BytesIO(saved.read_bytes())) as archive:
        names = sorted(archive.namelist())
    assert len(names) == 3 and names[1:] == ["b.png", "deep/c.png"] and names[0].endswith(".tif")


def test_a_run_is_drawn_while_it_grows_and_models_and_the_blind_test_are_there(page, runs, server):
    open_tab(page, "Runs")
    page.until("document.body.innerText.includes('Step 20 of 40')")
    page.until("document.querySelectorAll('#run-samples img').length === 1")
    page.until("document.querySelectorAll('.vega-embed canvas, .vega-embed svg').length >= 3")
    add_steps(runs, 30)
    page.until("document.body.innerText.includes('Step 30 of 40')")
    open_tab(page, "Models")
    page.until("document.querySelector('dl.facts')?.innerText.includes('hinted.onnx')")
    open_tab(page, "Blind test")
    address = page.value("[...document.querySelectorAll('a')].find((a) => a.href.includes('blind-test')).href")
    assert address == f"{server[1]}/studio/blind-test"
    with urlopen(address) as answer:
        assert b"a test" in answer.read()


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_a_phone_in_light_and_in_dark(page, server, grey, dark):
    page.resize(390, 844, dark=dark, phone=True)
    page.open(f"{server[1]}/studio/")
    page.until("!!document.querySelector('#upload input[type=file]')")
    show(page, grey)
    page.click("#hints > button")
    for tab in ("Picture", "Batch", "Runs", "Blind test", "Models"):
        if page.value(
            f"![...document.querySelectorAll('button[role=tab]')].some((b) => b.textContent.trim() === {tab!r}"
            " && b.offsetParent !== null)"
        ):
            continue  # in the menu of what does not fit beside each other
        open_tab(page, tab)
        time.sleep(0.2)
        assert page.value("document.documentElement.scrollWidth") <= 390, tab
    colour = page.value("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
    assert brightness < 60 if dark else brightness > 200


def test_every_control_has_a_name(page, grey):
    show(page, grey)
    unnamed = page.value(
        "[...document.querySelectorAll('input, button, textarea, select')].filter((e) => e.offsetParent !== null &&"
        " e.type !== 'file' && !(e.labels?.length || e.ariaLabel || e.title || e.textContent.trim() ||"
        " e.getAttribute('aria-labelledby'))).map((e) => e.outerHTML.slice(0, 200))"
    )
    assert unnamed == []


def test_a_server_that_is_to_stop_does_not_wait_for_open_pages(page, server):
    """The last test: the server is gone after it."""
    process = server[0]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=15) == 0
