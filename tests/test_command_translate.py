"""`tintype translate` and `tintype inspect` from outside: pipes, signals, kills, contradictions, lines for machines."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.inference.conftest import write_hinted_model, write_model, write_noisy_model

from tintype import cli, command_translate
from tintype.image.file import read_image, write_image
from tintype.image.provenance import read_provenance
from tintype.inference.batch import run_batch
from tintype.inference.translator import Translator
from tintype.inference.worker import run_isolated

COMMAND = [sys.executable, "-m", "tintype"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "small.onnx")


@pytest.fixture
def folder(tmp_path):
    """Five small grey pictures."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(5):
        write_image(folder / f"{number}.png", grey(number))
    return folder


def grey(seed, height=9, width=11):
    return np.random.default_rng(seed).uniform(0.3, 0.7, (height, width, 1)).astype(np.float32)


def run(capfd, *arguments):
    """Exit code, standard output and standard error of a command, in this process."""
    before, sys.argv = sys.argv, ["tintype", *map(str, arguments)]
    try:
        cli.main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = before
    captured = capfd.readouterr()
    return code, captured.out, captured.err


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def contents(folder):
    return {name: (folder / name).read_bytes() for name in names(folder)}


@pytest.mark.parametrize(("suffix", "loader"), [(".tif", "tiff"), (".jpg", "jpeg")])
def test_a_picture_goes_through_a_pipe_in_its_own_format(model, tmp_path, suffix, loader):
    write_image(tmp_path / f"a{suffix}", grey(0))
    given = (tmp_path / f"a{suffix}").read_bytes()
    done = subprocess.run([*COMMAND, "translate", "-", "-m", model], input=given, capture_output=True, check=True)
    image = read_image(done.stdout)
    assert (image.format, image.pixels.shape, done.stderr) == (loader, (9, 11, 3), b"")
    if suffix == ".tif":
        expected = Translator(model)(tmp_path / f"a{suffix}").pixels
        np.testing.assert_array_equal(image.pixels * 255, np.rint(expected * 255))


def test_a_format_can_be_asked_of_a_pipe_and_remarks_go_to_standard_error(model, tmp_path):
    write_image(tmp_path / "a.png", np.random.default_rng(0).uniform(0.3, 0.7, (9, 11, 3)).astype(np.float32))
    command = [*COMMAND, "translate", "-", "--out", "-", "--format", "webp", "-m", model]
    with (tmp_path / "a.png").open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, check=True)
    assert read_image(done.stdout).format == "webp"
    assert done.stderr == b"standard input: its own colour was replaced\n"


@pytest.mark.parametrize(("given", "said"), [(b"", "standard input: empty"), (b"no picture", "not a readable picture")])
def test_what_is_no_picture_ends_a_pipe_in_one_line(model, given, said):
    done = subprocess.run([*COMMAND, "translate", "-", "-m", model], input=given, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    assert said in done.stderr.decode() and done.stderr.count(b"\n") == 1


def test_a_pipe_that_is_closed_ends_quietly(model, tmp_path):
    write_image(tmp_path / "a.png", grey(0, 500, 500))
    command = [*COMMAND, "translate", "-", "-m", model]
    with (
        (tmp_path / "a.png").open("rb") as file,
        subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
    ):
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 0)


def test_standard_input_has_a_limit(model, tmp_path, monkeypatch):
    from tintype.errors import ImageError
    from tintype.image.picture import Limits, Reading
    from tintype.inference.options import TranslateOptions
    from tintype.inference.stream import translate_stream

    options = TranslateOptions(reading=Reading(limits=Limits(bytes=100)))
    target = io.BytesIO()
    with pytest.raises(ImageError, match="more than the 100 bytes"):
        translate_stream(io.BytesIO(bytes(101)), target, Translator(model), options, None)
    assert target.getvalue() == b""


def test_every_file_is_a_line_of_json(model, folder, tmp_path, capfd):
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "notes.txt").touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "1.png").touch()
    code, out, _ = run(capfd, "translate", folder, "-m", model, "--out", tmp_path / "out", "--json")
    lines = {Path(line["input"]).name: line for line in map(json.loads, out.splitlines())}
    statuses = {"0.png": "done", "1.png": "kept", "2.png": "done", "3.png": "done", "4.png": "done"}
    assert code == 1
    assert {name: line["status"] for name, line in lines.items()} == {
        **statuses,
        "broken.png": "failed",
        "notes.txt": "passed over",
    }
    assert lines["notes.txt"]["reason"] == ".txt: not one of a picture"
    assert "broken.png" in lines["broken.png"]["reason"]
    assert lines["0.png"].keys() == {
        *("input", "output", "status", "reason", "seconds", "width", "height", "bits", "format", "warnings")
    }
    assert [lines["0.png"][key] for key in ("width", "height", "bits", "format")] == [11, 9, 8, "png"]


def test_a_line_of_json_is_there_when_its_file_is(model, folder, tmp_path, capfd, monkeypatch):
    seen = []

    def watched(plan, *given, **named):
        for result in run_batch(plan, *given, **named):
            yield result
            seen.append(capfd.readouterr().out)

    monkeypatch.setattr(command_translate, "run_batch", watched)
    run(capfd, "translate", folder, "-m", model, "--out", tmp_path / "out", "--json")
    assert [json.loads(line)["status"] for line in seen] == ["done"] * 5


@pytest.mark.parametrize(("asked", "extra"), [(signal.SIGTERM, []), (signal.SIGINT, ["--isolate"])])
def test_an_interrupted_batch_leaves_whole_files_and_says_how_to_go_on(model, tmp_path, asked, extra):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    write_image(folder / "000.png", grey(0))
    data = (folder / "000.png").read_bytes()
    for number in range(1, 1500):
        (folder / f"{number:04}.png").write_bytes(data)
    command = [*COMMAND, "translate", folder, "-m", model, "--out", out, "--workers", "1", *extra]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, process_group=0) as process:
        wait_for(lambda: out.is_dir() and len(names(out)) > 3)
        os.killpg(process.pid, asked) if asked == signal.SIGINT else process.send_signal(asked)  # as a terminal does
        said = process.communicate(timeout=20)[1]
    assert process.returncode == 130
    whole = contents(out)
    assert 3 <= len(whole) < 1500
    assert set(whole.values()) == {(out / "000.png").read_bytes()}
    last = said.splitlines()[-1]
    assert last.startswith("interrupted; ") and last.endswith(" done, run again to go on")
    assert abs(int(last.split()[1].replace(",", "")) - len(whole)) <= 65  # done, but not all said
    assert "Traceback" not in said


def test_a_batch_that_was_killed_is_completed_with_the_same_bytes(model, tmp_path):
    folder, out, straight = tmp_path / "in", tmp_path / "out", tmp_path / "straight"
    folder.mkdir()
    for number in range(40):
        write_image(folder / f"{number:02}.{('png', 'tif', 'jpg')[number % 3]}", grey(number, 60, 80))
    command = [*COMMAND, "translate", folder, "-m", model, "--out"]
    subprocess.run([*command, straight], check=True, capture_output=True)
    expected = contents(straight)
    for count in (1, 17):
        with subprocess.Popen([*command, out], stderr=subprocess.PIPE) as process:
            wait_for(lambda count=count: out.is_dir() and len(names(out)) >= count)
            process.kill()
            assert b"Traceback" not in process.communicate(timeout=20)[1]  # ends when the workers have ended too
        there = contents(out)
        hidden = [name for name in there if name.startswith(".")]
        assert {name: data for name, data in there.items() if name not in hidden}.items() <= expected.items()
    (out / ".00-0123abcd.png").write_bytes(b"half")  # what a kill in the middle of a file leaves, if none did here
    subprocess.run([*command, out], check=True, capture_output=True)
    assert contents(out) == expected


def test_workers_of_a_killed_batch_end_in_the_middle_of_a_file_and_take_it_back(model, tmp_path):
    write_image(tmp_path / "a.png", grey(0, 1500, 1500))
    out = tmp_path / "out"
    command = [*COMMAND, "translate", tmp_path / "a.png", "-m", model, "--out", out, "--isolate"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        wait_for(lambda: out.is_dir() and any(name.startswith(".a-") for name in names(out)))
        process.kill()
        assert process.communicate(timeout=20)[1] == b""
    assert names(out) == []


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.002)


def test_isolated_files_are_translated_by_the_command(model, folder, tmp_path):
    command = [*COMMAND, "translate", folder, "-m", model, "--out", tmp_path / "out", "--isolate", "--memory", "1GB"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, f"5 pictures translated into {tmp_path / 'out'}\n")


def test_a_map_that_cannot_be_labelled_is_refused_before_any_work(model, folder, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    code, _, complaint = run(capfd, "translate", folder, "-m", model, "--out", tmp_path / "out", "--uncertainty")
    assert (code, complaint.count("\n")) == (2, 1)
    assert "tintype[train]" in complaint
    assert not (tmp_path / "out").exists()


def test_many_pictures_are_coloured_by_processes_to_the_same_bytes(model, folder, tmp_path, capfd, monkeypatch):
    isolated = []
    monkeypatch.setattr(command_translate, "run_isolated", lambda *a, **b: isolated.append(b) or run_isolated(*a, **b))
    for many, out in ((6, "threads"), (5, "processes")):
        monkeypatch.setattr(command_translate, "MANY", many)
        code, _, said = run(capfd, "translate", folder, "-m", model, "--out", tmp_path / out, "--workers", 2)
        assert (code, "5 pictures translated" in said) == (0, True)
    assert [called["workers"] for called in isolated] == [2]
    for name in names(folder):
        assert (tmp_path / "threads" / name).read_bytes() == (tmp_path / "processes" / name).read_bytes()


def test_a_format_is_given_to_all_results(model, folder, tmp_path, capfd):
    code, *_ = run(capfd, "translate", folder, "-m", model, "--out", tmp_path / "out", "--format", "tif")
    assert (code, names(tmp_path / "out")) == (0, [f"{number}.tif" for number in range(5)])


def test_a_picture_says_how_it_was_coloured(model, folder, tmp_path, capfd):
    words = ["--strength", 0.5, "--uncertainty", "--seed", 3, "--no-edges"]
    run(capfd, "translate", folder / "0.png", "-m", model, "--out", tmp_path / "out", *words)
    assert names(tmp_path / "out") == ["0.png", "0.uncertainty.png"]
    code, out, _ = run(capfd, "inspect", tmp_path / "out" / "0.png")
    assert code == 0
    for said in (
        "its colour was predicted",
        "small.onnx",
        "7 steps",
        "recipe:              small, digest",
        "strength 0.5",
    ):
        assert said in out
    assert "seed 3" in out and "edges no" in out
    code, out, _ = run(capfd, "inspect", tmp_path / "out" / "0.png", "--json")
    told = json.loads(out)
    assert (code, told["width"], told["provenance"]["model"]) == (0, 11, "small.onnx")
    assert len(told["provenance"]["model_digest"]) == 16


def test_a_picture_that_is_translated_in_python_says_so_too(model, folder, tmp_path, capfd):
    run(capfd, "translate", folder / "0.png", "-m", model, "--out", tmp_path)
    result = Translator(model)(folder / "0.png")
    write_image(tmp_path / "python.png", result)
    assert read_provenance(tmp_path / "python.png") == read_provenance(tmp_path / "0.png") == result.provenance
    assert result.provenance.model == model.name


def test_a_picture_of_somebody_else_carries_no_mark(folder, capfd):
    code, out, _ = run(capfd, "inspect", folder / "0.png")
    assert (code, "it carries no mark of Tintype" in out) == (0, True)
    assert json.loads(run(capfd, "inspect", folder / "0.png", "--json")[1])["provenance"] is None


def test_what_is_already_there_is_no_work(model, folder, tmp_path, capfd):
    words = ("translate", folder, "-m", model, "--out", tmp_path / "out")
    run(capfd, *words)
    before = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in names(tmp_path / "out")}
    code, _, said = run(capfd, *words)
    assert code == 0
    assert "0 pictures translated" in said and "5 kept as they were there already" in said
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in names(tmp_path / "out")} == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--flux", "--format", "png"], "--flux --format png: only fits can hold that"),
        (["--pyramid", "--format", "jpg"], "--pyramid --format jpg: only tif can hold that"),
        (["--other-pages", "keep", "--format", "webp"], "--other-pages keep --format webp: only tif"),
        (["--format", "bmp"], "--format bmp: choose png, tif, jpg, webp, avif or fits"),
        (["--stretch", "log"], "--stretch log: choose asinh, zscale, percentile or linear"),
        (["--other-pages", "burn"], "--other-pages burn: choose leave, keep or refuse"),
        (["--statistics", "none"], "--statistics none: choose auto, tile or whole"),
        (["--statistics", "whole"], "--statistics whole: this model sees every picture whole"),
        (["--tile", "512"], "--tile: this model sees every picture whole"),
        (["--memory", "much"], "--memory much: give a number of bytes"),
        (["--seed", "1"], "--seed 1: has no effect on this model without --uncertainty"),
        (["--time-limit", "0"], "--time-limit 0.0: give a number of seconds above 0"),
        (["--max-pixels", "nan"], "--max-pixels nan: give a number of pixels"),
        (["--strength", "nan"], "strength nan"),
    ],
)
def test_contradictions_are_said_before_any_work(model, folder, tmp_path, capfd, words, said):
    code, out, complaint = run(capfd, "translate", folder, "-m", model, "--out", tmp_path / "out", *words)
    assert (code, out) == (2, "")
    assert said in complaint and complaint.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_statistics_of_the_whole_picture_need_torch(folder, tmp_path, capfd):
    model = write_model(tmp_path / "rgb.onnx", "rgb", tiling="approximate")
    words = ["-m", model, "--out", tmp_path / "out", "--statistics", "whole"]
    code, _, complaint = run(capfd, "translate", folder, *words)
    assert (code, complaint.count("\n")) == (2, 1)
    assert "give the .safetensors model" in complaint


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--strength", "0.5"], "strength 0.5 has no meaning"),
        (["--edges"], "--edges has no meaning"),
        (["--keep-colour"], "--keep-colour has no meaning"),
        (["--statistics", "whole"], "--statistics whole: this network needs none"),
    ],
)
def test_options_for_colour_are_refused_by_other_models(folder, tmp_path, capfd, words, said):
    model = write_model(tmp_path / "rgb.onnx", "rgb")
    code, _, complaint = run(capfd, "translate", folder, "-m", model, "--out", tmp_path / "out", *words)
    assert (code, complaint.count("\n")) == (2, 1)
    assert said in complaint


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["IN"], "--out: give the folder for the results"),
        (["-", "IN"], "-: is one picture from standard input"),
        (["-", "--out", "OUT"], "-: is one picture from standard input"),
        (["-", "--json"], "--json: cannot be had with standard input"),
        (["-", "--isolate"], "--isolate: cannot be had with standard input"),
        (["-", "--uncertainty"], "--uncertainty: cannot be had with standard input"),
    ],
)
def test_standard_input_stands_alone(model, folder, tmp_path, capfd, words, said):
    words = [word.replace("IN", str(folder)).replace("OUT", str(tmp_path / "out")) for word in words]
    code, out, complaint = run(capfd, "translate", *words, "-m", model)
    assert (code, out) == (2, "")
    assert said in complaint and complaint.count("\n") == 1


def test_a_picture_beyond_max_pixels_fails_and_the_rest_goes_on(model, folder, tmp_path, capfd):
    write_image(folder / "large.png", grey(9, 20, 20))
    code, _, said = run(capfd, "translate", folder, "-m", model, "--out", tmp_path / "out", "--max-pixels", "399")
    assert code == 1
    assert f"failed: {folder / 'large.png'}: 20 x 20 pixels, more than" in said
    assert "5 pictures translated" in said


def test_a_seed_repeats_one_of_the_colourings_of_a_model_with_noise(folder, tmp_path, capfd):
    model = write_noisy_model(tmp_path / "many.onnx")
    expected = Translator(model).with_seed(3)(read_image(folder / "0.png"))
    for name, words in (("one", ("--seed", 3)), ("isolated", ("--seed", 3, "--isolate")), ("plain", ())):
        out = tmp_path / name
        code, _, _ = run(capfd, "translate", folder / "0.png", "-m", model, "--out", out, *words)
        assert code == 0
        mark = read_provenance(out / "0.png")
        assert mark is not None
        assert ("seed", "3" if words else "0") in tuple(map(tuple, mark.settings))
        difference = np.abs(read_image(out / "0.png").pixels - expected.pixels).max()
        assert (difference < 1 / 250) == bool(words)


@pytest.fixture(scope="module")
def hinted(tmp_path_factory):
    return write_hinted_model(tmp_path_factory.mktemp("hinted") / "small.onnx")


@pytest.mark.parametrize("isolate", [(), ("--isolate",)], ids=["thread", "process"])
def test_colours_can_be_set_at_points_and_taken_from_a_reference(hinted, tmp_path, capfd, isolate):
    write_image(tmp_path / "a.png", grey(0))
    (tmp_path / "points.json").write_text('[{"x": 2, "y": 3, "colour": "#a06060"}]')
    write_image(tmp_path / "sea.png", np.random.default_rng(1).random((8, 8, 3)).astype(np.float32))
    told = ["--hint", "9,7,#6060a0", "--hints", tmp_path / "points.json"]
    command = ["translate", tmp_path / "a.png", "-m", hinted, *isolate]
    assert run(capfd, *command, *told, "--out", tmp_path / "told")[0] == 0
    assert run(capfd, *command, "--reference", tmp_path / "sea.png", "--out", tmp_path / "toned")[0] == 0
    red, blue = read_image(tmp_path / "told/a.png").pixels[[3, 6], [2, 8]]
    assert red[0] > red[2] + 0.05 and blue[2] > blue[0] + 0.05
    settings = dict(read_provenance(tmp_path / "told/a.png").settings)
    assert (settings["hints"], "reference" in settings) == ("2", False)
    assert dict(read_provenance(tmp_path / "toned/a.png").settings)["reference"] == "sea.png"


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--hint", "1,2,red"], 2, "hint 1,2,red: give x,y,#rrggbb"),
        (["--hint", "1,2,#ff0000"], 2, "--hint: belongs to one picture, and 5 pictures were given"),
        (["--hints", "absent.json"], 1, "absent.json: cannot be read"),
        (["--reference", "absent.png"], 1, "absent.png"),
    ],
    ids=lambda value: "" if isinstance(value, str) else None,
)
def test_points_and_references_that_do_not_fit_end_the_command_in_one_line(
    hinted, folder, tmp_path, capfd, options, code, message
):
    found, _, said = run(capfd, "translate", folder, "-m", hinted, "--out", tmp_path / "out", *options)
    assert (found, said.count("\n")) == (code, 1)
    assert message in said
    assert not (tmp_path / "out").exists()


def test_a_point_outside_the_picture_fails_that_picture(hinted, folder, tmp_path, capfd):
    command = ["translate", folder / "1.png", "-m", hinted, "--out", tmp_path / "out", "--hint", "11.5,2,#ff0000"]
    code, _, said = run(capfd, *command)
    assert code == 1
    assert f"failed: hint 11.5,2,#ff0000: lies outside {folder / '1.png'}, of 11 x 9 pixels" in said


def test_hints_and_a_reference_go_through_a_pipe(hinted, tmp_path):
    write_image(tmp_path / "a.png", grey(0))
    command = [*COMMAND, "translate", "-", "-m", hinted, "--hint", "2.5,3.5,#a06060"]
    done = subprocess.run(command, input=(tmp_path / "a.png").read_bytes(), capture_output=True, check=True)
    red = read_image(done.stdout).pixels[3, 2]
    assert red[0] > red[2] + 0.05
