"""Many files: which are meant, where results go, and that no file spoils another."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tintype.errors import OutputError, UsageError
from tintype.image.file import PICTURE_SUFFIXES, open_picture, read_image, write_image, write_picture
from tintype.inference.batch import run_batch
from tintype.inference.options import TranslateOptions
from tintype.inference.plan import WRITABLE_SUFFIXES, plan_batch
from tintype.inference.translation import COLOUR_REPLACED
from tintype.inference.translator import Translator


@pytest.fixture
def translator(make_card, fake_network):
    card = make_card()
    return Translator.from_runtime(fake_network(card, 2, 0.05), card)


@pytest.fixture
def pictures(tmp_path):
    """a.png, deep/b.jpg, deep/deeper/c.tif and things that are no pictures."""
    folder = tmp_path / "in"
    (folder / "deep" / "deeper").mkdir(parents=True)
    grey = np.linspace(0.3, 0.7, 12 * 10, dtype=np.float32).reshape(12, 10, 1)
    write_image(folder / "a.png", grey)
    write_image(folder / "deep" / "b.jpg", grey)
    write_image(folder / "deep" / "deeper" / "c.tif", grey, bits=16)
    (folder / "notes.txt").write_text("no picture")
    (folder / "deep" / ".hidden.png").write_text("no picture")
    return folder


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def run(inputs, out, translator, **options):
    return list(run_batch(plan_batch(inputs, out), translator, **options))


def test_a_folder_keeps_its_structure_names_and_depths(pictures, tmp_path, translator):
    out = tmp_path / "out"
    plan = plan_batch([pictures], out)
    assert plan.passed_over == 2
    results = list(run_batch(plan, translator))
    assert [(result.status, result.reason, result.warnings) for result in results] == [("done", None, ())] * 3
    assert [(result.width, result.height) for result in results] == [(10, 12)] * 3
    assert files_below(out) == ["a.png", "deep/b.jpg", "deep/deeper/c.tif"]
    assert read_image(out / "a.png").pixels.shape == (12, 10, 3)
    assert read_image(out / "deep" / "deeper" / "c.tif").bits == 16


def test_results_are_what_the_translator_says(pictures, tmp_path, translator):
    run([pictures / "a.png"], tmp_path, translator, options=TranslateOptions(strength=0.5))
    expected = translator(pictures / "a.png", strength=0.5)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels * 255, np.rint(expected.pixels * 255))


def test_a_damaged_file_does_not_stop_the_others(pictures, tmp_path, translator):
    (pictures / "broken.png").write_bytes((pictures / "a.png").read_bytes()[:60])
    (pictures / "empty.jpg").touch()
    results = {result.input.name: result for result in run([pictures], tmp_path / "out", translator)}
    assert {name: result.status for name, result in results.items()} == {
        "a.png": "done",
        "broken.png": "failed",
        "empty.jpg": "failed",
        "b.jpg": "done",
        "c.tif": "done",
    }
    for name in ("broken.png", "empty.jpg"):
        assert name in results[name].reason
        assert "\n" not in results[name].reason
        assert results[name].width is None
    assert files_below(tmp_path / "out") == ["a.png", "deep/b.jpg", "deep/deeper/c.tif"]


def test_what_is_named_directly_and_cannot_be_read_has_failed(pictures, tmp_path, translator):
    inputs = [pictures / "notes.txt", pictures / "none.png", pictures / "*.webp", pictures / "a.png"]
    results = run(inputs, tmp_path / "out", translator)
    assert {result.input.name: result.status for result in results} == {
        "notes.txt": "failed",
        "none.png": "failed",
        "*.webp": "failed",
        "a.png": "done",
    }
    assert all(result.input.name in result.reason for result in results if result.status == "failed")


def test_patterns_keep_the_structure_from_their_first_wildcard(pictures, tmp_path, translator):
    plan = plan_batch([f"{pictures}/**/*.*"], tmp_path / "out")
    assert [job.output.relative_to(tmp_path / "out").as_posix() for job in plan.jobs] == [
        "a.png",
        "deep/b.jpg",
        "deep/deeper/c.tif",
    ]
    assert plan.passed_over == 1
    below = plan_batch([f"{pictures}/d*"], tmp_path / "out")
    assert [job.output.relative_to(tmp_path / "out").as_posix() for job in below.jobs] == [
        "deep/b.jpg",
        "deep/deeper/c.tif",
    ]


def test_a_pattern_in_the_working_folder_is_found(pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(pictures)
    assert [job.output.name for job in plan_batch(["*.png"], tmp_path).jobs] == ["a.png"]


def test_a_name_with_brackets_is_a_file_before_it_is_a_pattern(pictures, tmp_path, translator):
    path = pictures / "a[1].png"
    path.write_bytes((pictures / "a.png").read_bytes())
    results = run([path], tmp_path / "out", translator)
    assert [result.status for result in results] == ["done"]
    assert files_below(tmp_path / "out") == ["a[1].png"]


@pytest.mark.parametrize("how", ["folder", "file", "through a link"])
def test_an_input_is_never_replaced(pictures, tmp_path, translator, how):
    before = {name: (pictures / name).read_bytes() for name in files_below(pictures)}
    out = pictures
    if how == "through a link":
        out = tmp_path / "link"
        out.symlink_to(pictures)
    inputs = [pictures / "a.png"] if how == "file" else [pictures]
    results = run(inputs, out, translator, overwrite=True)
    assert {result.status for result in results} == {"failed"}
    assert all("would replace the input" in result.reason for result in results)
    assert {name: (pictures / name).read_bytes() for name in files_below(pictures)} == before


def test_an_input_is_not_replaced_by_the_result_of_another(pictures, tmp_path, translator):
    other = tmp_path / "deep" / "a.png"
    other.parent.mkdir()
    other.write_bytes((pictures / "a.png").read_bytes())
    before = (pictures / "a.png").read_bytes()
    first, second = run([other, pictures / "a.png"], pictures, translator, overwrite=True)
    assert (first.status, second.status) == ("failed", "failed")
    assert (pictures / "a.png").read_bytes() == before


def test_the_second_of_two_inputs_with_one_result_has_failed(pictures, tmp_path, translator):
    other = pictures / "deep" / "a.png"
    other.write_bytes((pictures / "a.png").read_bytes())
    results = run([pictures / "a.png", other], tmp_path / "out", translator)
    assert [result.status for result in results] == ["done", "failed"]
    assert "would replace that of" in results[1].reason


def test_a_file_that_is_named_twice_is_done_once(pictures, tmp_path):
    inputs = [pictures / "a.png", pictures, f"{pictures}/*.png", pictures / "deep" / ".." / "a.png"]
    names = [job.output.name for job in plan_batch(inputs, tmp_path / "out").jobs]
    assert names.count("a.png") == 1
    assert len(names) == 3


def test_an_earlier_result_is_kept_unless_told_otherwise(pictures, tmp_path, translator):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"an earlier result")
    statuses = [result.status for result in run([pictures], out, translator)]
    assert statuses == ["kept", "done", "done"]
    assert (out / "a.png").read_bytes() == b"an earlier result"
    statuses = [result.status for result in run([pictures], out, translator, overwrite=True)]
    assert statuses == ["done", "done", "done"]
    assert read_image(out / "a.png").width == 10


def test_earlier_results_inside_the_folder_are_no_inputs(pictures, translator):
    out = pictures / "out"
    for inputs in ([pictures], [f"{pictures}/**"]):
        assert [result.status for result in run(inputs, out, translator, overwrite=True)] == ["done"] * 3
    assert files_below(out) == ["a.png", "deep/b.jpg", "deep/deeper/c.tif"]


def test_a_picture_with_colour_is_translated_with_a_warning(tmp_path, translator):
    colour = np.random.default_rng(0).uniform(0.3, 0.7, (9, 9, 3)).astype(np.float32)
    write_image(tmp_path / "colour.png", colour)
    (result,) = run([tmp_path / "colour.png"], tmp_path / "out", translator)
    assert (result.status, result.warnings) == ("done", (COLOUR_REPLACED,))


def test_a_suffix_that_cannot_be_written_becomes_png_with_a_warning(pictures, tmp_path, translator):
    data = (pictures / "a.png").read_bytes()
    for name in ("a.gif", "scan.2", "plain"):
        (pictures / name).write_bytes(data)  # what a file is, is told by its content
    results = run([pictures / name for name in ("a.gif", "scan.2", "plain")], tmp_path / "out", translator)
    assert [result.output.name for result in results] == ["a.png", "scan.2.png", "plain.png"]
    assert all(result.status == "done" and "written as .png" in result.warnings[0] for result in results)


@pytest.mark.parametrize("suffix", sorted(PICTURE_SUFFIXES | WRITABLE_SUFFIXES))
def test_the_suffixes_that_are_kept_are_those_that_can_be_written(tmp_path, pictures, suffix):
    source = open_picture(pictures / "a.png")
    try:
        write_picture(tmp_path / f"picture{suffix}", source.strips(5), source, channels=1)
        written = True
    except OutputError:
        written = False
    assert written == (suffix in WRITABLE_SUFFIXES)


def test_a_folder_for_results_that_cannot_be_made_is_said_before_any_work(pictures, tmp_path, translator):
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="cannot be made") as error:
            run_batch(plan_batch([pictures], out), translator)
        assert "\n" not in str(error.value)
    assert not translator.runtime.shapes


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_for_results_that_is_protected_is_said_before_any_work(pictures, tmp_path, translator):
    out = tmp_path / "protected"
    out.mkdir(mode=0o500)
    with pytest.raises(OutputError, match="cannot be written to"):
        run_batch(plan_batch([pictures], out), translator)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_folder_that_may_not_be_looked_into_has_failed(pictures, tmp_path, translator):
    (pictures / "deep").chmod(0)
    results = {result.input.name: result for result in run([pictures], tmp_path / "out", translator)}
    (pictures / "deep").chmod(0o700)
    assert {name: result.status for name, result in results.items()} == {"a.png": "done", "deep": "failed"}
    assert "cannot be read" in results["deep"].reason


def test_a_strength_that_means_nothing_is_said_before_any_work(pictures, tmp_path, translator):
    with pytest.raises(UsageError, match="strength"):
        run_batch(plan_batch([pictures], tmp_path / "out"), translator, TranslateOptions(strength=-1))
    assert not (tmp_path / "out").exists()


def test_a_result_that_cannot_be_written_has_failed(pictures, tmp_path, translator):
    out = tmp_path / "out"
    out.mkdir()
    (out / "deep").write_text("a file where a folder is needed")
    statuses = {result.input.name: result.status for result in run([pictures], out, translator)}
    assert statuses == {"a.png": "done", "b.jpg": "failed", "c.tif": "failed"}


def test_an_empty_folder_gives_no_jobs(tmp_path):
    (tmp_path / "in").mkdir()
    plan = plan_batch([tmp_path / "in"], tmp_path / "out")
    assert (plan.jobs, plan.passed_over) == ((), 0)
