"""Which files a batch means, what their results are called, and that a folder of any size is planned by listing it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tintype.inference.plan import SUFFIXES, plan_batch, result_name


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def outputs(plan):
    return [job.output.relative_to(plan.out).as_posix() for job in plan.jobs if not job.problem]


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("a.png", "a.png"),
        ("a.JPG", "a.JPG"),
        ("a.jpe", "a.jpe"),
        ("a.jfif", "a.jfif"),
        ("a.tiff", "a.tiff"),
        ("a.webp", "a.webp"),
        ("a.avif", "a.avif"),
        ("m31.fits", "m31.fits"),
        ("m31.fit", "m31.fit"),
        ("m31.fts", "m31.fts"),
        ("m31.FITS", "m31.FITS"),
        ("m31.fits.gz", "m31.fits"),
        ("m31.fits.bz2", "m31.fits"),
        ("a.gif", "a.png"),
        ("a.heic", "a.png"),
        ("a.bmp", "a.png"),
        ("a.v1.gif", "a.v1.png"),
        ("scan.2", "scan.2.png"),
        ("plain", "plain.png"),
        ("plate.gz", "plate.gz.png"),
    ],
)
def test_a_result_has_the_name_of_its_input_where_that_can_be_written(name, result):
    assert result_name(name, None) == result


@pytest.mark.parametrize(
    ("name", "picture_format", "result"),
    [
        ("a.png", "jpg", "a.jpg"),
        ("a.jpeg", "jpg", "a.jpeg"),
        ("a.TIFF", "tif", "a.TIFF"),
        ("a.tiff", "png", "a.png"),
        ("m31.fits.gz", "fits", "m31.fits"),
        ("m31.fit", "fits", "m31.fit"),
        ("m31.fits.gz", "tif", "m31.tif"),
        ("scan.2", "webp", "scan.2.webp"),
    ],
)
def test_a_format_that_is_asked_for_changes_only_suffixes_of_other_formats(name, picture_format, result):
    assert result_name(name, picture_format) == result


def test_what_is_passed_over_is_named_with_the_reason(tmp_path):
    folder = touch(tmp_path / "in", "a.png", ".b.png", ".git/c.png", "notes.txt", "README")
    os.mkfifo(folder / "pipe.png")
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "linked").symlink_to(tmp_path)
    plan = plan_batch([folder], tmp_path / "out")
    assert outputs(plan) == ["a.png"]
    assert {str(other.path.relative_to(folder)): other.reason for other in plan.others} == {
        ".b.png": "hidden",
        ".git/c.png": "in a hidden folder",
        "notes.txt": ".txt: not one of a picture",
        "README": "no suffix: not one of a picture",
        "pipe.png": "no regular file",
        "gone.png": "no regular file",
        "linked": "a link to a folder",
    }


def test_a_file_that_is_named_directly_is_not_passed_over_as_well(tmp_path):
    folder = touch(tmp_path / "in", "a.png", "notes.txt")
    for inputs in ([folder, folder / "notes.txt"], [folder / "notes.txt", folder]):
        plan = plan_batch(inputs, tmp_path / "out")
        assert (sorted(outputs(plan)), plan.passed_over) == (["a.png", "notes.txt.png"], 0)


def test_jobs_come_in_the_order_of_names(tmp_path):
    names = ["a.png", "c.png", "b/a.png", "b/b/a.png", "d/a.png"]
    assert outputs(plan_batch([touch(tmp_path / "in", *reversed(names))], tmp_path / "out")) == names


def test_no_file_of_a_folder_is_asked_for_by_itself(tmp_path, monkeypatch):
    folder = touch(tmp_path / "in", *(f"{number:03}.png" for number in range(300)))
    out = touch(tmp_path / "out", *(f"{number:03}.png" for number in range(0, 300, 2)))
    asked = []
    for function in ("stat", "lstat", "open"):
        whole = getattr(os, function)
        monkeypatch.setattr(
            os, function, lambda *given, do=whole, **named: (asked.append(given), do(*given, **named))[1]
        )
    plan = plan_batch([folder], out)
    assert [job.exists for job in plan.jobs] == [True, False] * 150
    assert 0 < len(asked) < 50


def test_inputs_that_become_alike_by_their_new_suffix_keep_the_old_one_too(tmp_path):
    folder = touch(tmp_path / "in", "a.bmp", "a.gif", "a.png", "b.gif", "c.jpg", "c.webp")
    assert [job.output.name for job in plan_batch([folder], tmp_path / "out").jobs] == [
        *("a.bmp.png", "a.gif.png", "a.png"),
        *("b.png", "c.jpg", "c.webp"),
    ]
    jobs = plan_batch([folder], tmp_path / "out", picture_format="tif").jobs
    assert [job.output.name for job in jobs] == ["a.tif", "a.gif.tif", "a.png.tif", "b.tif", "c.tif", "c.webp.tif"]


def test_the_picture_of_the_uncertainty_belongs_to_what_must_not_collide(tmp_path):
    folder = touch(tmp_path / "in", "a.jpg", "a.uncertainty.png", "b.tif")
    plan = plan_batch([folder], tmp_path / "out", uncertainty=True)
    assert [job.output.name for job in plan.jobs] == ["a.jpg", "a.uncertainty.png", "b.tif"]
    assert [job.uncertainty_output and job.uncertainty_output.name for job in plan.jobs] == [
        "a.uncertainty.png",
        None,
        "b.uncertainty.png",
    ]
    assert "would replace that of" in plan.jobs[1].problem


def test_a_result_is_there_when_all_of_it_is(tmp_path):
    folder = touch(tmp_path / "in", "a.png", "b.png")
    out = touch(tmp_path / "out", "a.png", "b.png", "b.uncertainty.png")
    assert [job.exists for job in plan_batch([folder], out).jobs] == [True, True]
    assert [job.exists for job in plan_batch([folder], out, uncertainty=True).jobs] == [False, True]


def test_leftovers_are_the_temporary_files_of_these_results_alone(tmp_path):
    long = "a-name-that-is-longer-than-temporary-names-keep-of-it"
    folder = touch(tmp_path / "in", "a.png", f"deep/{long}.tif")
    ours = [".a-0123abcd.png", f"deep/.{long[:32]}-0123abcd.tif"]
    out = touch(
        tmp_path / "out", *ours, ".b-0123abcd.png", ".a-0123abcd.jpg", ".a.png", "a-0123abcd.png", "deep/.a.tif"
    )
    plan = plan_batch([folder], out)
    assert sorted(path.relative_to(out).as_posix() for path in plan.leftovers) == sorted(ours)


def test_a_pattern_that_names_hidden_files_means_them(tmp_path):
    folder = touch(tmp_path / "in", ".a.png", "b.png")
    assert outputs(plan_batch([f"{folder}/.a*"], tmp_path / "out")) == [".a.png"]


def test_every_format_names_its_own_suffixes():
    every = [suffix for suffixes in SUFFIXES.values() for suffix in suffixes]
    assert len(set(every)) == len(every)
    assert all(Path("a" + suffix).suffix == suffix == suffix.lower() for suffix in every)
