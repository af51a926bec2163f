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
from tintype.metrics.scores import (
    CONSISTENCY_CAVEAT,
    FACTOR_ON_REDRAWN,
    Consistency,
    DialPoint,
    GreyPictures,
    Likeness,
    Row,
    Scores,
)
from tintype.report import write_report
from tintype.report_pictures import MAX_PICTURE_SIDE

RECIPE = "name: tiny\ndescription: A made-up run.\ntraining:\n  steps: 40\n"
TWO_WAY_RECIPE = RECIPE + "method:\n  kind: cyclegan\n"
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


def consistency(cycle=21.5, change=14.25):
    def likeness(psnr):
        around = {"mean": psnr, "low": psnr - 1, "high": psnr + 1}
        return {"pictures": 9, "psnr": around, "ssim": {"mean": 0.75, "low": 0.7, "high": 0.8}}

    return {"cycle": likeness(cycle), "identity": likeness(31.5), "change": likeness(change)}


def unpaired_scores(direction, **figures):
    return {
        "protocol": {"size": 64, "split": "test", "direction": direction},
        "pictures": 9,
        "coloured": 0,
        "reference": "",
        "rows": [],
        "verdict": f"No verdict for {direction}.",
        "notes": ["A note of both."],
        "panels": [{"kind": "sample", "name": f"one {direction}.jpg", "file": f"evaluation/panels/{direction}-01.png"}],
        "consistency": consistency(**figures),
    }


def two_way_events():
    yield {"event": "start", "step": 0, "device": "cpu"}
    for step in (10, 20):
        values = {f"{name}_{way}_psnr": 20.0 + step for name in ("cycle", "identity", "change") for way in ("ab", "ba")}
        terms = {"g/adversarial_ab": 1.0, "g/cycle_a": 2.0, "d/real_a": 0.3, "d/penalty_b": 0.1}
        yield {"event": "log", "step": step, "images_seen": step, "lr": 2e-4, "terms": terms}
        yield {"event": "validation", "step": step, "scores": values, "best": False}


@pytest.fixture
def make_two_way_run(tmp_path):
    def make(name="two", *, ab=None, ba=None):
        folder = tmp_path / name
        (folder / "samples").mkdir(parents=True)
        (folder / "evaluation" / "panels").mkdir(parents=True)
        (folder / "recipe.yaml").write_text(TWO_WAY_RECIPE)
        (folder / "environment.json").write_text("{}")
        (folder / "split.json").write_text(json.dumps({"train": ["A/a", "B/b"], "digest": "d2"}))
        (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in two_way_events()))
        for direction, result in (("ab", ab), ("ba", ba)):
            content = unpaired_scores(direction) if result is None else result
            (folder / f"scores_{direction}.json").write_text(json.dumps(content))
            (folder / "evaluation" / "panels" / f"{direction}-01.png").write_bytes(png())
            for step in (10, 20):
                (folder / "samples" / f"step-{step:06d}_{direction}.png").write_bytes(png())
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


def headings(text):
    return re.findall(r"<h\d>([^<]*)</h\d>", text)


def test_a_run_of_two_directions_shows_each_of_them_under_its_own_heading(make_two_way_run):
    text, page = report(make_two_way_run())
    parts = ["Some of the pictures", "Scores", "Samples over time"]
    assert headings(text)[1:] == ["A to B", *parts, "B to A", *parts, "Training", "Settings", "Notes"]
    order = ["No verdict for ab.", "one ab.jpg", "Step 10", "Step 20", "No verdict for ba.", "one ba.jpg", "Step 20"]
    place = 0
    for part in order:
        assert (place := page.text.find(part, place) + 1), part
    assert page.text.count("Step 10") == page.text.count("Step 20") == 2
    assert len([source for source in page.sources if source.startswith("data:")]) == 6
    assert page.text.count("A note of both.") == 1
    assert "No picture was judged." not in page.text and "What this page lacks" not in page.text
    assert "Each strip: source, generated, and back." in page.text
    assert "Scored on, A to B 9 pictures" in page.text and "coloured" not in page.text
    assert not warned(page)
    assert len(page.ids) == len(set(page.ids))


def test_consistency_never_stands_without_the_change_and_the_caveat(make_two_way_run):
    _, page = report(make_two_way_run())
    assert "There and back (cycle) 21.50 20.50 to 22.50 0.750" in page.text
    assert page.text.count("Translation against source (change) 14.25") == 2
    assert page.text.count(CONSISTENCY_CAVEAT) == 4, "below each table and on each chart"
    cycle_only = {"consistency": {"cycle": consistency()["cycle"]}}
    _, page = report(make_two_way_run("grey", ab=unpaired_scores("ab") | cycle_only))
    assert "Translation against source (change) \N{EN DASH} \N{EN DASH} \N{EN DASH}" in page.text


def test_curves_of_two_directions_are_drawn_by_what_they_measure(make_two_way_run):
    text, page = report(make_two_way_run())
    charts = re.findall(r"<strong>([^<]*)</strong>", text)
    assert charts == [
        "Generator loss",
        "Discriminator loss",
        "There and back, A to B",
        "There and back, B to A",
        "Learning rate",
    ]
    for name in ("g/adversarial_ab", "g/cycle_a", "d/real_a", "d/penalty_b"):
        assert page.text.count(name) == 1
    assert [page.text.count(f" {name} ") >= 2 for name in ("cycle", "identity", "change")] == [True] * 3


def test_two_directions_with_pairs_have_rows_and_consistency(make_two_way_run):
    paired = scores() | {"consistency": consistency()}
    paired["panels"][0]["file"] = "evaluation/panels/ab-01.png"
    text, page = report(make_two_way_run(ab=paired, ba=scores(model=26.0)))
    assert headings(text).count("Best, median and worst") == 2
    assert "Each strip: source, generated, and back, truth. Ranked by gain over grey copy." in page.text
    assert page.text.count("There and back (cycle)") == 1
    assert page.text.count("luminance") == 0 and page.text.count("model, calibrated, strength 0.7") == 2
    assert warned(page), "of B to A, which a baseline beats"


def test_a_run_of_two_directions_in_training_says_what_is_missing(tmp_path):
    folder = tmp_path / "fresh"
    folder.mkdir()
    (folder / "recipe.yaml").write_text(TWO_WAY_RECIPE)
    text, page = report(folder)
    for name in ("scores_ab.json", "scores_ba.json", "samples"):
        assert name in page.text
    assert "scores.json" not in page.text
    assert "A to B" not in headings(text)


@pytest.mark.parametrize(
    "content",
    [b"\xff", b"[" * 100_000, b'{"consistency": {"cycle": 3}}', b'{"consistency": {"change": {"psnr": "x"}}}'],
)
def test_one_damaged_direction_leaves_the_other(make_two_way_run, content):
    folder = make_two_way_run()
    (folder / "scores_ab.json").write_bytes(content)
    _, page = report(folder)
    assert "What this page lacks" in page.text and "scores_ab.json" in page.text
    assert "No verdict for ba." in page.text


@pytest.mark.parametrize("value", [-1e29, 1e29, math.inf, math.nan, None])
def test_extreme_consistency_makes_a_page_all_the_same(make_two_way_run, value):
    result = unpaired_scores("ab")
    result["consistency"]["cycle"]["psnr"] = value
    result["consistency"]["change"]["ssim"] = {"mean": 0.0, "low": value, "high": value}
    _, page = report(make_two_way_run(ab=result))
    assert "There and back (cycle)" in page.text


@pytest.mark.parametrize("attack", ['<script>alert("1")</script>', '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}"])
def test_hostile_texts_of_two_directions_stay_texts(make_two_way_run, attack):
    result = unpaired_scores("ab") | {"verdict": attack, "protocol": {attack: attack}}
    result["panels"] = [{"kind": attack, "name": attack, "file": "../../x.png"}]
    folder = make_two_way_run(ab=result)
    (folder / "samples" / f"{attack.replace('/', '|')}_ba.png").write_bytes(png())
    text, page = report(folder)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "<img src=x" not in text
    assert page.text.count(attack) >= 5


def test_runs_of_both_kinds_are_compared_in_two_tables(make_run, make_two_way_run):
    unpaired, paired = (
        make_two_way_run("unpaired"),
        make_two_way_run("mixed", ab=scores() | {"consistency": consistency()}),
    )
    text, _ = report(make_run("single"), unpaired, paired)
    first, second = re.findall(r"<h2>.*?</table>", text, re.DOTALL)[:2]
    assert "single" in first and "mixed" in first and "unpaired" not in first
    assert "A to B" in first and "no scores" not in first
    assert "unpaired" in second and "mixed" in second and "single" not in second
    assert CONSISTENCY_CAVEAT in second
    assert all(name in second for name in ("Cycle", "Identity", "Change", "21.50", "31.50", "14.25"))
    text, _ = report(unpaired)
    assert "Runs with pairs" not in text
    text, _ = report(unpaired, make_two_way_run("again"))
    assert "Runs with pairs" not in text and "All runs" not in text and "21.50" in text


def test_scores_are_compared_within_a_direction(make_run, make_two_way_run):
    both = make_two_way_run("both", ab=scores(), ba=scores() | {"protocol": {"size": 64, "direction": "ba"}})
    _, page = report(make_run("single"), both)
    assert "must not be compared" not in page.text
    other = make_two_way_run("other", ba=unpaired_scores("ba") | {"protocol": {"size": 65}})
    _, page = report(make_two_way_run("one"), other)
    assert "must not be compared" in page.text


def test_in_other_tasks_than_colouring_identity_is_the_reference_of_validation(make_run):
    lines = [{"event": "validation", "step": 5, "scores": {"psnr": 20.0, "identity_psnr": 26.5}, "best": True}]
    _, page = report(make_run(lines=lines))
    assert "identity (26.50 dB) has a higher PSNR than the model at its best step, 5 (20.00 dB)" in page.text


def test_what_is_written_of_consistency_is_what_the_report_reads(make_two_way_run):
    likeness = Likeness(1, Interval(12.5, None, None), Interval(0.25, None, None))
    result = Scores(
        {}, 1, 0, 0, "", (), (), None, (), "None.", (), (), consistency=Consistency(likeness, None, likeness)
    )
    _, page = report(make_two_way_run(ab=result.to_dict()))
    assert "There and back (cycle) 12.50 0.250 1 Already there (identity) \N{EN DASH}" in page.text


def judged(gain):
    """Scores with a figure for each picture, so that runs can be set against each other."""
    pictures = [
        {"name": f"{i}.png", "coloured": True, "model": {"psnr": 25.0 + i + gain}, "grey copy": {"psnr": 25.0}}
        for i in range(9)
    ]
    return scores(27.0 + gain) | {"per_picture": pictures}


def test_several_runs_are_compared_above_and_folded_below(make_run):
    first, second = make_run("first", result=judged(0.0)), make_run("second", result=judged(-0.5))
    (second / "recipe.yaml").write_text(RECIPE + "optimiser: {lr: 0.5}\n")
    text, page = report(first, second)
    assert "Run against run" in page.text and "second \N{MINUS SIGN}0.50" in page.text and "behind" in page.text
    assert "The same pictures" in page.text and page.text.count("stands above") == 2
    assert "optimiser.lr 0.5" in page.text
    charts = re.findall(r"<strong>([^<]*)</strong>", text)
    wanted = ["Gain and colourfulness against strength", "Validation PSNR against steps"]
    wanted += ["D real", "D fake", "D", "G adversarial", "G l1".replace("l", "L"), "G"]
    assert charts[: len(wanted)] == wanted
    assert text.count('<details class="run">') == 2
    assert text.index("Run against run") < text.index('<details class="run">')
    assert {"#run-1", "#run-2"} <= set(page.sources) and {"run-1", "run-2"} <= set(page.ids)


def test_warnings_of_all_runs_stand_first_with_their_names(make_run):
    fine, behind = make_run("fine"), make_run("behind", result=scores(model=26.1))
    _, page = report(fine, behind)
    place = page.text.index("behind : Grey copy (26.50 dB) has a higher PSNR")
    assert place < page.text.index("All runs")


def test_realism_is_a_column_and_a_warning_where_the_model_is_further_away(make_run):
    def kid(mean):
        return {"mean": mean, "low": mean - 0.001, "high": mean + 0.001}

    rows = [
        {"name": name, "strength": s, "kid": kid(k)} for name, s, k in (("model", 1.0, 0.05), ("grey copy", None, 0.02))
    ]
    realism = {"protocol": "some network, 64 px", "pictures": 8, "rows": rows, "against_reference": []}
    _, page = report(make_run(result=scores() | {"realism": realism}))
    assert "KID lower is better" in page.text and "0.050 " in page.text and "some network, 64 px" in page.text
    assert "By KID the grey copy is nearer to real pictures (0.02) than the model (0.05)." in page.text
    rows[0]["kid"] = kid(0.01)
    _, page = report(make_run("better", result=scores() | {"realism": realism}))
    assert not warned(page)
    _, page = report(make_run("without"))
    assert "KID" not in page.text


def test_further_figures_and_other_runs_are_shown_where_there_are_any(make_run):
    result = scores()
    _, bare = report(make_run("bare", result=result))
    assert "MS-SSIM" not in bare.text and "Against other runs" not in bare.text and "Fréchet" not in bare.text
    for number, one in enumerate(result["rows"]):
        one["more"] = {"MS-SSIM": {"mean": 0.71 + number / 100}, "LPIPS alex": {"mean": 0.333}}
    result["rows"].append(row("run l1", 29.0, 1.0))
    difference = {"mean": -2.0, "low": -2.5, "high": -1.5}
    duel = {"name": "model", "strength": 1.0, "baseline": "run l1", "difference": difference, "outcome": "no better"}
    kid = {**duel, "difference": {"mean": -0.0123, "low": -0.02, "high": -0.01}, "outcome": "better"}
    kids = [{"name": "model", "strength": 1.0, "kid": {"mean": 0.1}, "frechet": 77.7}]
    result |= {"against_runs": [duel], "realism": {"protocol": "net", "rows": kids, "against_runs": [kid]}}
    _, page = report(make_run("full", result=result))
    for text in ("MS-SSIM", "0.710", "LPIPS alex", "0.333", "Fréchet", "77.70", "model, minus run l1", "no better"):
        assert text in page.text, text
    assert "\N{MINUS SIGN}2.00" in page.text and "\N{MINUS SIGN}0.0123" in page.text
    assert "Another run, l1 (29.00 dB), has a higher PSNR than the model" in page.text


def test_the_dial_says_what_strength_means(make_run):
    _, page = report(make_run("predicts", result=scores()))
    assert "0 is grey copy" in page.text and "redraws" not in page.text
    protocol = {**scores()["protocol"], "strength": FACTOR_ON_REDRAWN}
    redrawn = make_run("redraws", result={**scores(), "protocol": protocol})
    _, page = report(redrawn)
    assert "redraws the whole picture" in page.text and "0 is grey copy" not in page.text


@pytest.mark.parametrize("more", [{"name": {"mean": 1.0}}, {"": {"mean": 1.0}}, {"<script>": {"mean": 1.0}}])
def test_hostile_names_of_further_figures_stay_texts(make_run, more):
    result = scores()
    result["rows"][0]["more"] = more
    _, page = report(make_run(result=result))
    assert "script" not in {tag for tag, _ in page.tags}


def test_a_training_that_the_discriminator_won_is_warned_of_at_the_top(make_run):
    health = {"d/accuracy_real": 1.0, "d/accuracy_fake": 1.0}
    terms = {"d/real": 0.01, "d/fake": 0.01, "g/l1": 9.0}
    lines = [{"event": "log", "step": 10 * i, "terms": terms, "health": health} for i in range(1, 60)]
    _, page = report(make_run(lines=lines))
    assert page.text.index("The discriminator has won") < page.text.index("Best, median and worst")
    assert "Discriminator accuracy" in page.text


def fold(folder, number):
    (folder / "recipe.yaml").write_text(RECIPE + f"data: {{split: {{folds: 3, fold: {number}}}}}\n")
    protocol = {"size": 64, "split_digest": f"digest {number}"}
    (folder / "scores.json").write_text(json.dumps(judged(0.0) | {"protocol": protocol}))
    return folder


def test_folds_of_one_recipe_are_no_contest_and_are_judged_as_one(make_run, tmp_path):
    folds = [fold(make_run(f"fold{i}"), i) for i in range(2)]
    _, page = report(*folds)
    assert "folds 0, 1 (from 0) of 3 of one recipe; 1 are not here" in page.text
    assert "tintype evaluate --model" in page.text
    assert "must not be compared" not in page.text and "Run against run" not in page.text
    together = tmp_path / "folds.json"
    together.write_text(json.dumps(scores() | {"pictures": 77, "verdict": "All folds together."}))
    _, page = report(*folds, together, out=tmp_path / "report.html")
    assert "From folds.json: 77 pictures." in page.text and "All folds together." in page.text
    assert "tintype evaluate" not in page.text


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"rows": 7}', b"[" * 100_000])
def test_a_file_that_holds_no_scores_is_refused_in_one_line(make_run, tmp_path, content):
    (tmp_path / "folds.json").write_bytes(content)
    with pytest.raises(RunError, match=r"folds\.json: holds no scores") as caught:
        write_report([make_run(), tmp_path / "folds.json"], tmp_path / "report.html")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("attack", ['<script>alert("1")</script>', '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}"])
def test_hostile_texts_of_several_runs_stay_texts(make_run, attack):
    result = judged(0.0) | {"protocol": {attack: attack}, "reference": attack}
    result["panels"][0] |= {"name": attack, "kind": attack}
    result["rows"][0]["name"] = "model"
    result["realism"] = {
        "protocol": attack,
        "rows": [{"name": f"model, {attack}", "kid": 3.0}, {"name": attack, "kid": 1.0}],
    }
    result["per_picture"][0]["name"] = attack
    name = attack.replace("/", "|")
    lines = [{"event": "log", "step": step, "terms": {f"d/{attack}": 1.0}} for step in (1, 2)]
    folders = [make_run(f"{name} {i}", result=result, lines=lines) for i in (1, 2)]
    for number, folder in enumerate(folders):
        recipe = {"name": attack, "description": attack, "optimiser": {attack: f"{attack} {number}"}}
        (folder / "recipe.yaml").write_text(json.dumps(recipe))
    other = make_run("other", result=result | {"protocol": {attack: attack + "!"}})
    text, page = report(*folders, other)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "<img src=x" not in text
    assert page.text.count(attack) > 20


def test_many_runs_stay_one_page_of_bounded_size(make_run, monkeypatch):
    monkeypatch.setattr("tintype.report.CHARTS_FOR", 3)
    monkeypatch.setattr("tintype.report.PAGE_BYTES", 9 * 3 * len(png()))
    lines = list(events())
    runs = [make_run(f"run{i}", result=judged(-i / 10), lines=lines) for i in range(9)]
    text, page = report(*runs)
    assert "The 6 best are drawn in colour, the other 3 pale behind them." in page.text
    assert text.count("Discriminator loss") == 0
    table = text[text.index("<table") : text.index("</table>")]
    places = [table.index(f">run{i}<") for i in range(9)]
    assert places == sorted(places), "best first"
    assert table.count(">grey copy<") == 1
    assert page.text.count("was left out to keep this page small") > 0
    assert len([source for source in page.sources if source.startswith("data:")]) <= 27


def test_many_results_of_a_picture_have_a_table_of_their_own(make_run):
    around = {"mean": 19.25, "low": 19.0, "high": 19.5}
    shares = {"mean": 0.912, "low": 0.9, "high": 0.93}
    spread = {
        "samples": 8,
        "seed": 0,
        "pictures": 9,
        "single": around,
        "best": around,
        "coverage": shares,
        "factor": 2.5,
    }
    page = report(make_run(result=scores() | {"spread": spread}))[0]
    assert "Best of 8 results, PSNR in dB" in page
    assert "Share of pixels within intervals of 90%, calibrated" in page
    assert "0.912" in page
    assert "random tints" not in page
    assert "Many results" not in report(make_run("plain"))[0]
