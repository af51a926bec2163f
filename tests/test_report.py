"""The report page: what it shows, what it warns of, and that nothing in a run folder can reach out of it."""

from __future__ import annotations

import html.parser
import json
import math
import re
import struct
import subprocess
import sys
import zlib

import pytest

from tintype.errors import OutputError, RunError, UsageError
from tintype.metrics.interval import Interval
from tintype.metrics.scores import DialPoint, GreyPictures, Row, Scores
from tintype.report import write_report
from tintype.report_run import MAX_PICTURE_SIDE

RECIPE = "name: tiny\ndescription: A made-up run.\ntraining:\n  steps: 40\n"
VOID = {"meta", "img", "br"}


def png(width=2, height=2, pixel=b"\x80\x40\x20"):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = (b"\0" + pixel * min(width, 4)) * min(height, 4)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def row(name, psnr, strength=None):
    def around(mean, by):
        return {"mean": mean, "low": mean - by, "high": mean + by}

    return {
        "name": name,
        "strength": strength,
        "psnr": around(psnr, 1.0),
        "ssim": around(0.9, 0.01),
        "ciede2000": around(7.0, 0.5),
        "colourfulness": around(12.0, 2.0),
        "colourfulness_ratio": 0.41,
        "gain": around(psnr - 26.5, 0.3),
        "pooled_gain": 0.1,
    }


def scores(model=27.0, picture="m31.jpg"):
    return {
        "protocol": {"size": 64, "split": "test", "tintype": "0.1.0"},
        "pictures": 9,
        "coloured": 8,
        "grey": 1,
        "reference": "grey copy",
        "rows": [row("model", model, 1.0), row("model, calibrated", 27.2, 0.7), row("grey copy", 26.5)],
        "dial": [{"strength": s / 4, "gain": s / 10, "colourfulness_ratio": s / 6} for s in range(7)],
        "grey_pictures": {"count": 1, "psnr": 40.0, "invented_chroma": 1.25},
        "verdict": "The model is better than the best baseline.",
        "notes": ["A note of the scores."],
        "panels": [
            {"kind": "best", "name": picture, "file": "evaluation/panels/01.png", "psnr": 30.0, "grey_copy_psnr": 28.0}
        ],
    }


def events():
    yield {"event": "start", "step": 0, "device": "cpu"}
    for step in range(1, 41):
        terms = {"d/real": 0.3, "d/fake": 0.2 + step / 100, "g/adversarial": 1.0, "g/l1": 90 / step}
        yield {"event": "log", "step": step, "images_seen": step, "lr": 2e-4, "terms": terms}
        if step % 20 == 0:
            found = {"psnr": 25.0 + step / 10, "grey_copy_psnr": 26.5}
            yield {"event": "validation", "step": step, "scores": found, "best": True}
    yield {"event": "note", "step": 40, "text": "A note of the training."}


@pytest.fixture
def make_run(tmp_path):
    def make(name="run", *, result=None, lines=None):
        folder = tmp_path / name
        (folder / "samples").mkdir(parents=True)
        (folder / "evaluation" / "panels").mkdir(parents=True)
        (folder / "recipe.yaml").write_text(RECIPE)
        (folder / "environment.json").write_text(json.dumps({"python": "3.11", "libraries": {"numpy": "2.0"}}))
        split = {
            "train": ["a", "b", "c"],
            "validation": ["d"],
            "test": ["e", "f"],
            "groups": [["b", "c"]],
            "digest": "d1",
        }
        (folder / "split.json").write_text(json.dumps(split))
        (folder / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in (lines or events())))
        (folder / "scores.json").write_text(json.dumps(result or scores()))
        (folder / "evaluation" / "panels" / "01.png").write_bytes(png())
        for step in (10, 20, 30, 40):
            (folder / "samples" / f"step-{step:06d}.png").write_bytes(png())
        return folder

    return make


class Page(html.parser.HTMLParser):
    """Parses strictly enough to notice a tag that is not closed or an attribute that someone else opened."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.sources, self.parts = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open
        self.text = " ".join(" ".join(self.parts).split())

    def handle_starttag(self, tag, attributes):
        self._element(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self._element(tag, attributes)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.parts.append(data)

    def _element(self, tag, attributes):
        self.tags.append((tag, dict(attributes).get("class")))
        self.ids += [value for key, value in attributes if key == "id"]
        self.sources += [value for key, value in attributes if key in ("src", "href", "xlink:href", "srcset", "data")]
        assert not [key for key, _ in attributes if key.startswith("on")]


def report(*runs, out=None):
    path = write_report(runs, out or runs[0].parent / "out" / "report.html")
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


def warned(page):
    return ("div", "warning") in page.tags


def test_the_page_opens_with_the_verdict_and_holds_everything_in_order(make_run):
    _, page = report(make_run())
    order = [
        "The model is better than the best baseline.",
        "Best, median and worst",
        "m31.jpg",
        "Scores",
        "The dial",
        "calibrated 0.7",
        "Discriminator loss",
        "d/real",
        "Generator loss",
        "g/l1",
        "Validation PSNR",
        "Learning rate",
        "Samples over time",
        "Step 10",
        "Settings",
        "3 train",
        "b, c",
        "libraries.numpy",
        "A note of the training.",
        "A note of the scores.",
    ]
    places = [page.text.find(part) for part in order]
    assert -1 not in places
    assert places == sorted(places)
    assert "27.20" in page.text and "+0.70" in page.text and "41" in page.text
    assert "finished at step 40" in page.text
    assert "What this page lacks" not in page.text


def test_a_baseline_that_beats_the_model_is_warned_of(make_run):
    _, page = report(make_run(result=scores(model=26.1)))
    assert warned(page)
    assert "Grey copy (26.50 dB) has a higher PSNR than the model, strength 1 (26.10 dB)." in page.text
    assert "ahead of the model" in page.text


def test_a_model_that_beats_its_baselines_is_not_warned_of(make_run):
    _, page = report(make_run(result=scores(model=27.0)))
    assert not warned(page)
    assert "ahead of the model" not in page.text


def test_a_baseline_ahead_in_validation_is_warned_of(make_run):
    lines = [{"event": "validation", "step": 5, "scores": {"psnr": 20.0, "grey_copy_psnr": 26.5}, "best": True}]
    _, page = report(make_run(lines=lines))
    assert warned(page)
    assert "grey copy (26.50 dB) has a higher PSNR than the model at its best step, 5 (20.00 dB)" in page.text


def test_nothing_on_the_page_asks_the_network(make_run):
    text, page = report(make_run())
    assert "http://" not in text and "https://" not in text and "@import" not in text
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in page.sources)
    assert not re.search(r"url\((?!#)", text)
    assert "default-src 'none'" in text


def test_every_id_is_used_once_and_every_reference_inside_charts_is_met(make_run):
    text, page = report(make_run())
    assert len(page.ids) == len(set(page.ids))
    references = [source[1:] for source in page.sources if source.startswith("#")] + re.findall(
        r"url\(#([^)]+)\)", text
    )
    assert references and set(references) <= set(page.ids)


@pytest.mark.parametrize(
    "attack", ['<script>alert("1")</script>', '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "$\\frac{"]
)
def test_hostile_texts_stay_texts(make_run, attack):
    result = scores(picture=attack) | {"verdict": attack, "notes": [attack], "protocol": {attack: attack}}
    result["rows"][0]["name"] = f"model, {attack}"
    values = {f"{attack}/{attack}": 1.0, attack: 2.0}
    lines = [
        {"event": "start", "step": 0, "device": attack},
        *({"event": "log", "step": step, "lr": 1e-3, "terms": values} for step in (1, 2)),
        {"event": "note", "step": 1, "text": attack},
    ]
    folder = make_run(attack.replace("/", "|"), result=result, lines=lines)
    (folder / "environment.json").write_text(json.dumps({attack: attack}))
    (folder / "recipe.yaml").write_text(json.dumps({"name": attack, "description": attack}))
    (folder / "split.json").write_text(json.dumps({"train": [attack], "groups": [[attack]], "digest": attack}))
    (folder / "samples" / f"{attack.replace('/', '|')}.png").write_bytes(png())
    text, page = report(folder)
    kinds = {tag for tag, _ in page.tags}
    assert "script" not in kinds
    assert "<img src=x" not in text
    assert page.text.count(attack) > 8


def test_surrogates_control_characters_and_other_scripts_do_not_stop_the_page(make_run):
    lines = [
        {"event": "log", "step": 1, "terms": {"g/\u611b\ud800\0": 1.0}},
        {"event": "note", "step": 1, "text": "\ud800\u611b"},
    ]
    text, _ = report(make_run(lines=lines, result=scores(picture="\udfff\0.jpg")))
    assert "\u611b" in text


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("evaluation/panels/01.png", b"<svg onload=alert(1)>"),
        ("evaluation/panels/01.png", png()[:-12]),
        ("evaluation/panels/01.png", png(width=MAX_PICTURE_SIDE + 1)),
        ("../outside.png", png()),
        ("nul\0.png", None),
        ("absent.png", None),
    ],
)
def test_only_real_png_files_inside_the_folder_are_embedded(make_run, file, content):
    result = scores()
    result["panels"][0]["file"] = file
    folder = make_run(result=result)
    if content is not None:
        (folder / file).write_bytes(content)
    _, page = report(folder)
    assert "is missing or no PNG" in page.text
    assert len([source for source in page.sources if source.startswith("data:")]) == 4


def test_a_link_that_leads_outside_is_not_followed(make_run, tmp_path):
    folder = make_run()
    (tmp_path / "secret.png").write_bytes(png())
    (folder / "evaluation" / "panels" / "01.png").unlink()
    (folder / "evaluation" / "panels" / "01.png").symlink_to(tmp_path / "secret.png")
    _, page = report(folder)
    assert "is missing or no PNG" in page.text


def test_a_run_in_training_gives_a_page_that_says_what_is_missing(tmp_path):
    folder = tmp_path / "fresh"
    folder.mkdir()
    (folder / "recipe.yaml").write_text(RECIPE)
    _, page = report(folder)
    for name in ("scores.json", "events.jsonl", "environment.json", "split.json", "samples"):
        assert name in page.text
    assert "not begun" in page.text
    assert not warned(page)


@pytest.mark.parametrize("name", ["scores.json", "events.jsonl", "environment.json", "split.json", "recipe.yaml"])
@pytest.mark.parametrize(
    "content", [b"\xff\xfe\0", b"[" * 100_000, b"[1, 2]", b'{"rows": 7, "terms": {', b'{"rows": [{"name": 1}]}']
)
def test_damaged_files_are_named_or_shown_but_never_an_error(make_run, name, content):
    folder = make_run()
    (folder / name).write_bytes(content)
    _, page = report(folder)
    assert "tiny" in page.text or name == "recipe.yaml"
    if name == "scores.json":
        assert "What this page lacks" in page.text and "scores.json" in page.text


def test_broken_lines_and_values_of_events_are_counted(make_run):
    folder = make_run()
    with (folder / "events.jsonl").open("a") as file:
        file.write('{"event": "log", "step": 41, "terms": {"g/l1": NaN, "d/real": "x"}}\n{"event": "lo')
    _, page = report(folder)
    assert "1 line(s) could not be read" in page.text
    assert "2 value(s) were no finite numbers" in page.text


def test_long_curves_are_thinned(make_run):
    lines = [{"event": "log", "step": step, "terms": {"g/l1": math.sin(step)}} for step in range(30_000)]
    text, _ = report(make_run(lines=lines))
    longest = max(len(re.findall(r"[ML] ", path)) for path in re.findall(r' d="([^"]*)"', text))
    assert 500 < longest <= 2_000


def test_several_runs_stand_in_one_table_and_incomparable_ones_are_warned_of(make_run, tmp_path):
    first, second = make_run("first"), make_run("second")
    unscored = tmp_path / "third"
    unscored.mkdir()
    (unscored / "recipe.yaml").write_text(RECIPE)
    text, page = report(first, second, unscored)
    table = text[text.index("<table") : text.index("</table>")]
    assert all(name in table for name in ("first", "second", "third", "no scores", "grey copy"))
    assert not warned(page)
    assert len(page.ids) == len(set(page.ids))
    (second / "scores.json").write_text(json.dumps(scores() | {"protocol": {"size": 256}}))
    _, page = report(first, second)
    assert "must not be compared" in page.text


def test_the_same_folder_gives_the_same_page(make_run):
    folder = make_run()
    assert report(folder)[0] == report(folder)[0]


def test_what_an_evaluation_writes_is_what_the_report_reads(make_run):
    wide = Interval(26.0, 25.0, 27.0)
    row = Row("model", 1.0, wide, wide, wide, wide, wide, None, Interval(0.5, None, None), 0.4)
    result = Scores(
        protocol={"size": 64},
        pictures=1,
        coloured=1,
        grey=0,
        reference="grey copy",
        rows=(row,),
        comparisons=(),
        grey_pictures=GreyPictures(1, 40.0, 1.5),
        dial=(DialPoint(0.0, 0.0, None), DialPoint(1.0, 0.5, None)),
        verdict="It is undecided.",
        notes=(),
        per_picture=(),
    )
    _, page = report(make_run(result=result.to_dict()))
    assert "It is undecided." in page.text and "+0.50" in page.text and "1.50" in page.text and "The dial" in page.text


@pytest.mark.parametrize("value", [0.0, -1e29, 1e29, 5e-324, math.inf, math.nan, None, 10**400])
def test_extreme_values_make_a_page_all_the_same(make_run, value):
    result = scores()
    result["dial"] = [{"strength": 1.0, "gain": value, "colourfulness_ratio": value}]
    result["rows"][0]["psnr"]["mean"] = result["panels"][0]["psnr"] = value
    terms = {"g/l1": value, "g/adversarial": 1.0}
    lines = [
        {"event": "log", "step": 1, "lr": value, "terms": terms},
        {"event": "validation", "step": 1, "scores": {"psnr": value}},
    ]
    report(make_run(result=result, lines=lines))


def test_scores_without_a_judged_picture_say_so(make_run):
    empty = scores() | {"rows": [], "dial": [], "panels": [], "verdict": "No verdict."}
    _, page = report(make_run(result=empty))
    assert "No picture was judged." in page.text and "The dial" not in page.text


def test_a_folder_that_is_no_run_is_refused_in_one_line(tmp_path):
    with pytest.raises(RunError, match="not a run folder") as caught:
        write_report([tmp_path], tmp_path / "report.html")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_no_runs_at_all_are_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no run folder"):
        write_report([], tmp_path / "report.html")


def test_a_place_that_cannot_be_written_is_an_output_error(make_run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_report([make_run()], tmp_path / "file" / "report.html")


def test_the_report_needs_no_torch():
    code = "import sys, tintype.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_note_of_training_and_scores_alike_is_shown_once(make_run, tmp_path):
    notes = ["A note of the training.", "A note of the scores."]
    run = make_run(result={**scores(), "notes": notes})
    text = write_report([run], tmp_path / "report.html").read_text()
    assert [text.count(note) for note in notes] == [1, 1]
