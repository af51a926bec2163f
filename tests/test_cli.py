"""The command from outside: what it prints, what it returns, and what it says to bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import make_picture

import tintype
from tintype import cli
from tintype.console import Reporter
from tintype.image.file import read_image, write_image
from tintype.inference.modelfile import read_card, read_safetensors, write_safetensors
from tintype.metrics.scores import CONSISTENCY_CAVEAT
from tintype.recipe import Recipe


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command, in this process."""
    before = sys.argv
    sys.argv = ["tintype", *map(str, arguments)]
    try:
        cli.main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = before
    captured = capfd.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, picture_set: Path) -> Path:
    """A run folder of a few steps."""
    folder = tmp_path_factory.mktemp("model") / "run"
    tintype.train("tiny", folder, [f"data.path={picture_set}", "training.steps=3"], reporter=Reporter(quiet=True))
    return folder


TWO_WAYS = {
    "name": "two-ways",
    "data": {"kind": "colour", "size": 32},
    "codec": {"kind": "rgb", "source": "grey3"},
    "generator": {"kind": "resnet", "filters": 2, "blocks": 1, "norm": "instance"},
    "discriminator": {"kind": "patchgan", "filters": 2, "layers": 1, "norm": "instance"},
    "method": {"kind": "cyclegan"},
    "training": {"steps": 2},
}


@pytest.fixture(scope="module")
def two_way_model(tmp_path_factory: pytest.TempPathFactory, picture_set: Path) -> Path:
    """A run folder of two directions whose pictures have partners."""
    folder = tmp_path_factory.mktemp("two") / "run"
    recipe = Recipe.model_validate({**TWO_WAYS, "data": {**TWO_WAYS["data"], "path": str(picture_set)}})
    tintype.train(recipe, folder, reporter=Reporter(quiet=True))
    return folder


def test_translate_keeps_names_folders_and_luminance(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    grey = tmp_path / "in" / "deeper"
    grey.mkdir(parents=True)
    picture = make_picture(1)[..., :1]
    write_image(grey / "one.png", picture)
    code, _, said = run(capfd, "translate", tmp_path / "in", "--model", model, "--out", tmp_path / "out")
    assert (code, said.splitlines()[-1]) == (0, f"1 picture translated into {tmp_path / 'out'}")
    result = read_image(tmp_path / "out" / "deeper" / "one.png")
    assert result.pixels.shape == (40, 48, 3)


def test_translate_goes_on_past_a_bad_file_and_returns_1(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_image(folder / "a.png", make_picture(0)[..., :1])
    (folder / "b.png").write_bytes(b"no picture")
    write_image(folder / "c.png", make_picture(2)[..., :1])
    (folder / "notes.txt").write_text("no picture by its name")
    code, _, said = run(capfd, "translate", folder, "--model", model, "--out", tmp_path / "out")
    assert code == 1
    assert f"failed: {folder / 'b.png'}" in said
    assert said.splitlines()[-1].endswith("1 other file passed over, 1 failed")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]


def test_translate_can_say_what_it_did_to_a_machine(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "a.png", make_picture(0))
    code, out, _ = run(capfd, "translate", tmp_path / "a.png", "-m", model, "--out", tmp_path / "out", "--json")
    line = json.loads(out)
    assert (code, line["status"], line["width"], line["height"]) == (0, "done", 48, 40)
    assert line["warnings"] == ["its own colour was replaced"]


def test_strength_0_gives_grey(model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_image(tmp_path / "a.png", make_picture(0)[..., :1])
    code, *_ = run(capfd, "translate", tmp_path / "a.png", "-m", model, "--out", tmp_path / "out", "--strength", 0)
    pixels = read_image(tmp_path / "out" / "a.png").pixels
    assert code == 0
    np.testing.assert_allclose(np.ptp(pixels, axis=2), 0, atol=1 / 255 + 1e-6)


def test_evaluate_prints_the_model_beside_every_baseline_and_writes_json(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capfd, "evaluate", "--model", model, "--json", tmp_path / "scores.json")
    assert code == 0
    for row in (
        "model",
        "grey copy",
        "mean chroma",
        "luminance to chroma",
        "PSNR",
        "SSIM",
        "CIEDE2000",
        "colourfulness",
    ):
        assert row in out
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["protocol"]["split"] == "test"
    assert scores["verdict"] == out.strip().splitlines()[-1]
    code, out, _ = run(capfd, "evaluate", "--model", model, "--json", "-")
    again = json.loads(out)
    assert (code, again["rows"]) == (0, scores["rows"])


def test_evaluate_on_a_folder_leaves_out_what_was_trained_on(
    model: Path, picture_set: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capfd, "evaluate", "--model", model, "--data", picture_set)
    assert code == 0
    assert "pictures were left out: the run trained on them or was chosen by them" in out
    code, out, _ = run(capfd, "evaluate", "--model", model / "model.onnx", "--data", picture_set)
    assert "does not list its training pictures" in out


def test_inspect_export_and_report_work_on_a_run(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capfd, "inspect", model)
    assert code == 0
    assert "recipe:              tiny" in out
    assert "direction:           A to B (ab), the only one" in out and CONSISTENCY_CAVEAT not in out
    assert "model (strength 1)" in out and "grey copy" in out and "luminance to chroma" in out
    assert json.loads(run(capfd, "inspect", model, "--json")[1])["recipe"]["name"] == "tiny"
    code, out, _ = run(capfd, "export", model, "--out", tmp_path / "other.onnx")
    assert (code, "differs from torch by at most" in out) == (0, True)
    code, out, _ = run(capfd, "report", model, "--out", tmp_path / "report.html")
    assert (code, out.strip()) == (0, str(tmp_path / "report.html"))


def test_evaluate_scores_the_direction_that_is_asked_for(
    two_way_model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = {}
    for words in ([], ["--direction", "ab"], ["--direction", "ba"]):
        code, out, _ = run(capfd, "evaluate", "-m", two_way_model, *words)
        assert code == 0
        assert CONSISTENCY_CAVEAT in out and "(cycle)" in out and "(change)" in out
        found[tuple(words)] = out
    assert found[()] == found["--direction", "ab"]
    assert "direction ab" in found[()] and "gain: over grey copy" in found[()]
    assert "direction ba" in found["--direction", "ba"] and "gain: over identity" in found["--direction", "ba"]


def test_export_takes_the_network_of_a_direction(
    two_way_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for words, direction in (([], "ab"), (["--direction", "ba"], "ba")):
        code, out, _ = run(capfd, "export", two_way_model, "--out", tmp_path / "m.onnx", *words)
        assert (code, "differs from torch by at most" in out) == (0, True)
        assert read_card(tmp_path / "m.onnx").direction == direction


def test_inspect_shows_direction_and_consistency(two_way_model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "inspect", two_way_model)
    assert (code, "direction:           A to B (ab), one of two" in out) == (0, True)
    assert "(cycle)" in out and "(change)" in out
    assert out.splitlines()[-1] == CONSISTENCY_CAVEAT
    code, out, _ = run(capfd, "inspect", two_way_model / "model_ba.safetensors")
    assert (code, "direction:           B to A (ba), one of two" in out) == (0, True)


def test_inspect_refuses_a_card_whose_consistency_is_none(
    two_way_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state, card = read_safetensors(two_way_model / "model_ab.safetensors")
    broken = card.model_copy(update={"scores": {"consistency": {"cycle": "good"}}})
    write_safetensors(tmp_path / "m.safetensors", state, broken)
    code, _, said = run(capfd, "inspect", tmp_path / "m.safetensors")
    assert (code, said.count("\n")) == (1, 1)
    assert "its card is damaged (scores.consistency)" in said


@pytest.mark.parametrize("rows", ["none", [{"name": "model"}], [{"name": "model", "more": {"a": 1}}]])
def test_inspect_refuses_a_card_whose_scores_are_none(
    model: Path, rows: object, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state, card = read_safetensors(model / "model.safetensors")
    broken = card.model_copy(update={"scores": {"rows": rows}})
    write_safetensors(tmp_path / "m.safetensors", state, broken)
    code, _, said = run(capfd, "inspect", tmp_path / "m.safetensors")
    assert (code, said.count("\n")) == (1, 1)
    assert "its card is damaged (scores.rows)" in said


def test_recipe_commands_print_what_there_is(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "recipe", "list")
    assert code == 0
    assert {line.split()[0] for line in out.splitlines()} == set(tintype.recipe.preset_names())
    code, out, _ = run(capfd, "recipe", "show", "tiny", "training.steps=7")
    assert (code, "steps: 7" in out) == (0, True)
    code, out, _ = run(capfd, "recipe", "schema")
    assert "lambda_l1" in json.dumps(json.loads(out))


def test_data_check_names_what_is_wrong_and_draws_a_sheet(
    pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (pictures / "broken.png").write_bytes(b"no picture")
    (pictures / "copy.png").write_bytes((pictures / "00.png").read_bytes())
    write_image(pictures / "grey.png", make_picture(50)[..., :1])
    sheet = tmp_path / "sheet.png"
    code, out, _ = run(capfd, "data", "check", pictures, "--sheet", sheet)
    assert code == 0
    for said in ("14 readable pictures", "broken.png", "copy.png", "grey.png"):
        assert said in out
    assert read_image(sheet).width > 300
    code, out, _ = run(capfd, "data", "check", pictures, "--json")
    assert json.loads(out)["pictures"] == 14


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_file_whose_name_is_no_text_is_translated_like_any_other(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    odd = os.fsencode(folder) + b"/\xff.png"
    write_image(folder / "a.png", make_picture(0)[..., :1])
    (folder / "a.png").rename(os.fsdecode(odd))
    (folder / "a.png").write_bytes(b"no picture")
    code, _, said = run(capfd, "translate", folder, "--model", model, "--out", tmp_path / "out")
    assert code == 1
    assert "1 picture translated" in said
    assert "Traceback" not in said
    assert Path(os.fsdecode(os.fsencode(tmp_path) + b"/out/\xff.png")).is_file()


def test_evaluate_refuses_pictures_that_are_not_those_the_run_began_with(
    pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    overrides = [f"data.path={pictures}", "training.steps=1"]
    tintype.train("tiny", folder, overrides, reporter=Reporter(quiet=True))
    write_image(pictures / "another.png", make_picture(77))
    code, _, said = run(capfd, "evaluate", "--model", folder)
    assert code == 1
    assert "some may have been trained on" in said


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "tiny", "training.stepz=3"], 2, "unknown field training.stepz; did you mean training.steps?"),
        (["train", "nonsense"], 2, "nonsense: no such recipe"),
        (["train", "tiny", "data.path=GONE"], 1, "GONE: no such folder; data.path must name a folder of pictures"),
        (["train", "tiny", "data.path=EMPTY"], 1, "EMPTY: "),
        (["train", "tiny", "--out", "PICTURE/run"], 1, "PICTURE.png/run: cannot be used as a run folder"),
        (["train", "tiny", "discriminator.layers=4"], 2, "the discriminator needs pictures of at least 48 px"),
        (["train", "flowers-lab"], 2, "data.path is empty"),
        (["train", "tiny", "training.device=cuda"], 2, "torch finds no CUDA device"),
        (["translate", "GONE", "-m", "MODEL", "--out", "OUT"], 1, "GONE"),
        (["translate", "EMPTY", "-m", "MODEL", "--out", "OUT"], 2, "no pictures in there"),
        (["translate", "PICTURE", "-m", "GONE", "--out", "OUT"], 1, "GONE: there is no such file or folder"),
        (["translate", "PICTURE", "-m", "EMPTY", "--out", "OUT"], 1, "holds no model.onnx"),
        (["translate", "PICTURE", "-m", "MODEL", "--out", "PICTURE"], 1, "PICTURE"),
        (["translate", "PICTURE", "-m", "MODEL", "--out", "OUT", "--strength", "-1"], 2, "strength"),
        (["translate", "PICTURE", "-m", "MODEL", "--out", "OUT", "--direction", "up"], 2, "choose ab or ba"),
        (["translate", "PICTURE", "-m", "MODEL", "--out", "OUT", "--direction", "ba"], 2, "in one direction only"),
        (["evaluate", "-m", "MODEL", "--direction", "up"], 2, "--direction up: choose ab or ba"),
        (["evaluate", "-m", "MODEL", "--features", "eyes"], 2, "--features eyes: choose caltech101, inception, dinov2"),
        (["evaluate", "-m", "MODEL", "--lpips", "eyes"], 2, "--lpips eyes: choose alex or vgg"),
        (["evaluate", "-m", "MODEL", "-m", "MODEL"], 2, "and each may be judged once; give runs of different folds"),
        (["evaluate", "-m", "MODEL", "--baseline", "GONE"], 1, "GONE: there is no such file or folder"),
        (["evaluate", "-m", "MODEL", "--direction", "ba"], 2, "in one direction only"),
        (["export", "MODEL", "--out", "x.onnx", "--direction", "up"], 2, "--direction up: choose ab or ba"),
        (["export", "MODEL", "--out", "x.onnx", "--direction", "ba"], 2, "in one direction only"),
        (["export", "EMPTY", "--out", "x.onnx"], 1, "holds no model.onnx"),
        (["evaluate", "-m", "MODEL/model.onnx"], 2, "give --data FOLDER"),
        (["evaluate", "-m", "MODEL", "--data", "EMPTY"], 1, "EMPTY"),
        (["inspect", "GONE"], 1, "GONE: "),
        (["inspect", "EMPTY"], 1, "holds no model.onnx"),
        (["inspect", "PICTURE", "--direction", "ab"], 2, "has no meaning for a picture"),
        (["export", "MODEL/model.onnx", "--out", "x.onnx"], 2, "only .safetensors models are exported"),
        (["report", "EMPTY", "--out", "OUT/r.html"], 1, "EMPTY"),
        (["data", "check", "GONE"], 1, "GONE"),
        (
            ["data", "check", "EMPTY", "--kind", "films"],
            2,
            "--kind films: choose colour, folders, side_by_side, unpaired or labelled",
        ),
        (["data", "get"], 2, "give the name of a set; `tintype data get --list` names them all"),
        (["data", "get", "facade"], 2, "facade: no such public set; did you mean facades?"),
        (["data", "get", "maps", "--out", "PICTURE"], 1, "PICTURE.png: is there already and is not maps"),
        (["data", "get", "cityscapes", "--out", "OUT"], 1, "register at https://www.cityscapes-dataset.com"),
    ],
)
def test_bad_input_ends_in_one_clear_line(
    arguments: list[str], code: int, message: str, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").mkdir()
    write_image(tmp_path / "PICTURE.png", make_picture(0)[..., :1])
    words = [word.replace("MODEL", str(model)).replace("PICTURE", "PICTURE.png") for word in arguments]
    if message == "torch finds no CUDA device":
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            pytest.skip("there is one")
    given, _, said = run(capfd, *words)
    assert given == code
    assert message in said
    complaints = [line for line in said.splitlines() if line.startswith(("tintype: ", "failed: "))]
    assert len(complaints) == 1
    assert "Traceback" not in said
    assert {path.name for path in tmp_path.iterdir()} <= {"EMPTY", "PICTURE.png", "OUT"}, (
        "a refused command leaves nothing"
    )


@pytest.mark.skipif(os.name == "nt", reason="permissions")
def test_an_output_folder_that_cannot_be_written_is_named_before_any_work(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "a.png", make_picture(0)[..., :1])
    (tmp_path / "file").touch()
    code, _, said = run(capfd, "translate", tmp_path / "a.png", "-m", model, "--out", tmp_path / "file" / "out")
    assert code == 1
    assert "cannot be made" in said
    assert said.count("\n") == 1


def test_the_module_is_the_command() -> None:
    said = subprocess.run([sys.executable, "-m", "tintype", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == f"tintype {tintype.__version__}"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell", "pwsh"])
def test_the_script_of_a_shell_is_printed_wherever_it_is_asked_for(
    shell: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_TINTYPE_COMPLETE", "")
    monkeypatch.setattr("shellingham.detect_shell", lambda *_: pytest.fail("the shell was named"))
    code, out, _ = run(capfd, "--show-completion", shell)
    assert code == 0
    assert "_TINTYPE_COMPLETE" in out and "tintype" in out


def test_a_shell_that_there_is_no_script_for_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_TINTYPE_COMPLETE", "")
    code, out, said = run(capfd, "--show-completion", "tcsh")
    assert (code, out, said) == (1, "", "Shell tcsh not supported.\n")


@pytest.mark.parametrize(("typed", "offered"), [("col", "colorize"), ("translate --str", "--strength\n--stretch")])
def test_words_are_completed(
    typed: str, offered: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMP_WORDS", f"tintype {typed}")
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split())))
    monkeypatch.setenv("_TINTYPE_COMPLETE", "complete_bash")
    assert run(capfd, "") == (0, f"{offered}\n", "")
