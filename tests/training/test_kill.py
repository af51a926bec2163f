"""Killed for good, in the middle of writing too, a CycleGAN goes on as if nothing had been."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from benchmarks.kill_and_resume import (
    RECIPE,
    Kill,
    differences,
    kill,
    reached,
    read_everything,
    saved,
    unfinished,
)

from tintype.console import Reporter
from tintype.report import write_report
from tintype.training import train
from tintype.training.checkpoint import load_checkpoint

STEPS = 17
OVERRIDES = [
    f"training.steps={STEPS}",
    "training.log_every=3",
    "training.checkpoint_every=5",
    "training.validate_every=8",
    "training.sample_every=11",
    "data.size=16",
]
KILLS = [  # and the step of the checkpoint that each leaves; from outside, a later one on a busy machine
    (Kill("a checkpoint, half written, with the pool full", ("half", ".last-*", 2)), 5),
    (Kill("the log, half a line of losses, in mid-epoch", ("journal", "log", 3)), 10),
    (Kill("training, from outside", step=12), 10),
]


@pytest.mark.usefixtures("nothing_shipped")  # the benchmark kills there too
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_after_three_kills_weights_optimisers_pool_and_log_equal_those_of_an_undisturbed_run(
    tmp_path: Path, picture_set: Path
) -> None:
    recipe = tmp_path / "kill.yaml"
    recipe.write_text(RECIPE)
    overrides = [f"data.path={picture_set}", *OVERRIDES]
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    for moment, checkpoint in KILLS:
        kill(moment, killed, ["train", str(recipe), *overrides, "--out", str(killed)])
        read_everything(killed)
        assert saved(killed) == checkpoint or (saved(killed) > checkpoint and not moment.trap), moment.what
        if moment is KILLS[0][0]:
            assert reached(killed) == 10 and len(unfinished(killed)) == 1
            pools = load_checkpoint(killed / "checkpoints" / "last.pt")["method"]
            assert [len(pictures) for pictures in pools.values()] == [4, 4]
        if moment is KILLS[1][0]:
            assert write_report([killed], tmp_path / "report.html").is_file()

    for run in (killed, straight):
        assert train(recipe, run, overrides, reporter=Reporter(quiet=True))
    assert differences(killed, straight, STEPS, log_every=3) == []
