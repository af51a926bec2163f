"""Run folders are found, read on from where reading stopped, and drawn within bounds, whatever lies in them."""

from __future__ import annotations

import json

import numpy as np
from tests.conftest import make_picture

from tintype.image.file import write_image
from tintype.server.studio_curves import MAX_POINTS, GrowingRun, drawn, find_runs


def log(folder, *steps):
    with (folder / "events.jsonl").open("a") as file:
        for step in steps:
            file.write(json.dumps({"event": "log", "step": step, "terms": {"g/l1": 1 / step}}) + "\n")


def make_run(folder, steps=100):
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(f"training: {{steps: {steps}}}")
    return folder


def test_runs_are_found_two_folders_deep_the_newest_first_or_the_folder_itself(tmp_path):
    for number, name in enumerate(("a", "b/c", "b/d/e")):
        log(make_run(tmp_path / name), number + 1)
    names = list(find_runs(tmp_path))
    assert set(names) == {"a", "b/c"}
    assert find_runs(tmp_path / "a") == {"a": tmp_path / "a"}
    assert find_runs(tmp_path / "b" / "d") == {"e": tmp_path / "b" / "d" / "e"}


def test_lines_are_read_once_and_half_a_line_waits(tmp_path):
    run = GrowingRun(make_run(tmp_path / "run"))
    assert not run.read_on()
    log(run.folder, 1, 2)
    with (run.folder / "events.jsonl").open("a") as file:
        file.write('{"event": "log", "step": 3, ')
    assert run.read_on() and not run.read_on()
    with (run.folder / "events.jsonl").open("a") as file:
        file.write('"terms": {"g/l1": 5}}\n')
    assert run.read_on()
    assert run.events.terms == {"g/l1": {1: 1.0, 2: 0.5, 3: 5.0}}
    assert run.events.unreadable == 0


def test_a_file_that_was_begun_anew_is_read_anew(tmp_path):
    run = GrowingRun(make_run(tmp_path / "run"))
    log(run.folder, 1, 2, 3)
    run.read_on()
    (run.folder / "events.jsonl").unlink()
    log(run.folder, 7)
    assert run.read_on()
    assert list(run.events.terms["g/l1"]) == [7]


def test_steps_are_those_of_the_recipe_where_it_says_them(tmp_path):
    assert GrowingRun(make_run(tmp_path / "a", 250)).steps_wanted == 250
    for number, text in enumerate(("training: 3", "training: {steps: x}", "{", "[1]")):
        folder = make_run(tmp_path / f"{number}")
        (folder / "recipe.yaml").write_text(text)
        assert GrowingRun(folder).steps_wanted is None


def test_the_newest_samples_are_shown_and_nothing_that_lies_elsewhere(tmp_path):
    run = GrowingRun(make_run(tmp_path / "run"))
    assert run.samples() == []
    folder = run.folder / "samples"
    folder.mkdir()
    write_image(tmp_path / "secret.png", make_picture(0))
    for name in ("step-000010.png", "step-000020_ab.png", "other.png"):
        write_image(folder / name, make_picture(0))
    (folder / "step-000030.png").symlink_to(tmp_path / "secret.png")
    assert [(path.name, title) for path, title in run.samples()] == [
        ("step-000020_ab.png", "step 20, A to B"),
        ("step-000010.png", "step 10"),
    ]
    assert len(run.samples(1)) == 1


def test_long_curves_are_drawn_by_means_of_equal_parts_and_short_ones_as_they_are():
    short, long = {1: 2.0, 5: 3.0}, {step: float(step % 2) for step in range(10 * MAX_POINTS)}
    points = drawn({"short": short, "long": long, "empty": {}})
    assert points[:2] == [(1, 2.0, "short"), (5, 3.0, "short")]
    values = [value for _, value, name in points if name == "long"]
    assert len(values) == MAX_POINTS
    np.testing.assert_allclose(values, 0.5)
