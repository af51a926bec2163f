import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tintype
from tintype.console import Reporter
from tintype.errors import InputError, UsageError
from tintype.metrics.fetch import ALEXNET, CACHE_VARIABLE, INCEPTION, PublishedWeights
from tintype.metrics.scores import require_comparable
from tintype.metrics.table import format_scores


def train(folder: Path, pictures: Path, *overrides: str) -> Path:
    changes = [f"data.path={pictures}", "data.size=32", "data.load_size=32", "training.steps=1", *overrides]
    assert tintype.train("tiny", folder, changes, reporter=Reporter(quiet=True))
    return folder


@pytest.fixture(scope="module")
def folds(picture_set: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The three runs of a cross-validation of twelve pictures."""
    root = tmp_path_factory.mktemp("folds")
    return [train(root / f"f{i}", picture_set, "data.split.folds=3", f"data.split.fold={i}") for i in range(3)]


@pytest.fixture(scope="module")
def others(picture_set: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Those of another one, at a higher rate of learning."""
    root, faster = tmp_path_factory.mktemp("others"), ("data.split.folds=3", "optimiser.lr=0.01")
    return [train(root / f"l1-{i}", picture_set, *faster, f"data.split.fold={i}") for i in range(3)]


def test_folds_are_judged_as_one_and_each_picture_once(folds: list[Path]) -> None:
    scores = tintype.evaluate(folds)
    alone = [tintype.evaluate(fold) for fold in folds]
    assert sorted(p.name for p in scores.per_picture) == [f"{i:02d}.png" for i in range(12)]
    assert list(scores.per_picture) == [picture for one in alone for picture in one.per_picture]
    strengths = [next((r.strength for r in one.rows if r.name == "model, calibrated"), 1.0) for one in alone]
    row = next(row for row in scores.rows if row.name == "model, calibrated")
    assert row.strength == pytest.approx(np.mean(strengths))
    assert row.strengths == (tuple(strengths) if len(set(strengths)) > 1 else ())
    assert scores.protocol["split"] == "test parts of 3 folds"
    assert scores.dial[-1].gain == pytest.approx(np.mean([one.dial[-1].gain for one in alone for _ in one.per_picture]))
    assert scores.notes == ()
    with pytest.raises(UsageError, match="split is test parts of 3 folds in the one and test in the other"):
        require_comparable(scores, alone[0])
    require_comparable(scores, tintype.evaluate(folds[::-1]))


def test_missing_folds_are_said(folds: list[Path]) -> None:
    scores = tintype.evaluate(folds[:2])
    assert scores.notes == ("2 of 3 folds: the test pictures of the others are missing.",)
    assert scores.pictures == 8


def test_runs_that_are_no_folds_are_refused_with_the_field(
    folds: list[Path], others: list[Path], picture_set: Path
) -> None:
    with pytest.raises(UsageError, match=r"optimiser\.lr is 0\.01 and not .*; only data\.split\.fold may"):
        tintype.evaluate([folds[0], others[1]])
    with pytest.raises(UsageError, match=r"its test picture \d\d\.png is one of .*f0 too"):
        tintype.evaluate([folds[0], folds[0]])
    with pytest.raises(UsageError, match="leave out the folder of pictures"):
        tintype.evaluate(folds, picture_set)


def test_another_cross_validation_of_the_same_split_is_one_baseline(folds: list[Path], others: list[Path]) -> None:
    scores = tintype.evaluate(folds, baselines=others[::-1])
    alone = tintype.evaluate(others)
    assert scores.rows[-1].name == "run l1"
    assert scores.rows[-1].psnr == alone.rows[0].psnr
    assert scores.notes == ()
    require_comparable(scores, alone)
    with pytest.raises(UsageError, match="of these 12 pictures or was chosen by them"):
        tintype.evaluate(folds, baselines=others[:2])


def test_another_run_of_the_same_split_is_a_baseline(folds: list[Path], others: list[Path], tmp_path: Path) -> None:
    other = others[0]
    scores = tintype.evaluate(folds[0], baselines=[other])
    alone = tintype.evaluate(other)
    assert scores.rows[-1].name == "run l1-0"
    assert scores.rows[-1].psnr == alone.rows[0].psnr
    difference = np.mean([p.figures["model"].psnr - p.figures["run l1-0"].psnr for p in scores.per_picture])
    comparison = scores.against_runs[0]
    assert (comparison.name, comparison.baseline) == ("model", "run l1-0")
    assert comparison.difference.mean == pytest.approx(difference)
    assert all("run" not in one.baseline for one in scores.comparisons)
    assert "run l1-0" in scores.verdict
    require_comparable(scores, alone)

    unknown = tintype.evaluate(folds[0], baselines=[shutil.copy(other / "model.onnx", tmp_path)])
    assert "run model does not list its training pictures; scores on any of those would flatter it." in unknown.notes
    assert "run model" in format_scores(unknown)


def test_a_baseline_that_has_seen_the_pictures_is_refused(folds: list[Path]) -> None:
    with pytest.raises(UsageError, match="trained on 4 of these 4 pictures or was chosen by them"):
        tintype.evaluate(folds[0], baselines=[folds[1]])


def test_pictures_of_a_folder_have_the_nearest_training_picture_where_the_run_is_at_hand(
    folds: list[Path], picture_set: Path, tmp_path: Path
) -> None:
    scores = tintype.evaluate(folds[0], picture_set)
    assert scores.pictures == 4
    assert "nearest training picture" in [row.name for row in scores.rows]
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "model.onnx").write_bytes((folds[0] / "model.onnx").read_bytes())
    scores = tintype.evaluate(bare / "model.onnx", picture_set)
    assert "nearest training picture" not in [row.name for row in scores.rows]
    assert (
        "the nearest training picture is left out: the training pictures are not at hand as they were" in scores.notes
    )


@pytest.mark.parametrize("models", [["GONE"], ["GONE", "GONE"]])
@pytest.mark.parametrize(("asked", "file"), [({"features": "inception"}, INCEPTION), ({"lpips": "alex"}, ALEXNET)])
def test_weights_that_are_not_there_are_found_out_before_a_model_is_opened(
    asked: dict[str, Any], file: PublishedWeights, models: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    (tmp_path / file.name).write_bytes(b"something else")
    with pytest.raises(InputError, match=f"{file.name}: is not the published file"):
        tintype.evaluate(models, **asked)


def test_lpips_and_ms_ssim_stand_beside_the_other_figures_with_their_protocol(
    folds: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Network:
        trunk, side, protocol = "alex", 16, "lpips 0.1 alex 12345678, pictures as they are"

        def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
            return np.abs(x - y).mean(axis=(1, 2, 3))

    monkeypatch.setattr("tintype.metrics.lpips.open_lpips", lambda trunk: Network())
    for models in (folds[0], folds):
        scores = tintype.evaluate(models, features="none", lpips="alex", ms_ssim=True)
        assert set(scores.rows[0].more) == {"LPIPS alex"}
        assert scores.protocol["lpips"] == Network.protocol
        assert any("MS-SSIM is left out" in note for note in scores.notes)
        assert "LPIPS alex" in format_scores(scores)
    large = tintype.evaluate(folds[0], size=176, features="none")
    assert set(large.rows[0].more) == {"MS-SSIM"}
    with pytest.raises(UsageError, match=r"lpips is lpips 0\.1 alex 12345678.* in the one and other weights"):
        require_comparable(scores, replace(scores, protocol={**scores.protocol, "lpips": "other weights"}))
    without = {key: value for key, value in scores.protocol.items() if key != "lpips"}
    require_comparable(scores, replace(scores, protocol=without))
