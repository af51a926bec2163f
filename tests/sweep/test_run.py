"""Whole sweeps, with a stand-in for training in place of the child process, alone and several at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tintype.console import Reporter
from tintype.errors import RecipeError, RecipeMismatchError, RunError
from tintype.sweep import trial
from tintype.sweep.definition import read_definition
from tintype.sweep.run import Sweep

HERE = Path(__file__).parent
DRIVER = [sys.executable, str(HERE / "driver.py")]


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch):
    monkeypatch.setattr(trial, "COMMAND", [sys.executable, str(HERE / "fake_child.py")])
    monkeypatch.setattr(trial, "_LOOK_EVERY_S", 0.02)


def sweep(out, *settings, recipe="tiny", **options):
    definition = read_definition(str(recipe), ["training.steps=4", *settings])
    one = Sweep(definition, out, say=Reporter(quiet=True), **options)
    assert one.run()
    return json.loads((out / "results.json").read_text())


def steps_done(out) -> Counter:
    """How often each step of each trial was trained."""
    return Counter((out / "trials" / "ledger.txt").read_text().splitlines())


def states(results):
    return {row["name"]: row["state"] for row in results["trials"]}


def test_every_point_of_a_grid_is_trained_once_and_never_again(tmp_path):
    settings = ("optimiser.lr=1e-3,1e-2", "training.seed=0,1")
    first = sweep(tmp_path / "s", *settings, jobs=2)
    assert set(states(first).values()) == {"complete"} and len(first["trials"]) == 4
    done = steps_done(tmp_path / "s")
    assert len(done) == 16 and set(done.values()) == {1}
    again = sweep(tmp_path / "s", *settings)
    assert steps_done(tmp_path / "s") == done
    assert again == first


def test_recipes_that_are_judged_by_different_scores_are_refused(tmp_path):
    with pytest.raises(RecipeError, match="different validation scores, psnr and kid, so no table can rank them"):
        sweep(tmp_path / "s", "recipe=tiny,fashion-gan")


def test_the_table_is_sorted_by_validation_and_holds_test_scores_beside_doing_nothing(tmp_path):
    results = sweep(tmp_path / "s", "optimiser.lr=1e-2,1e-3")
    assert [row["values"]["optimiser.lr"] for row in results["trials"]] == [1e-3, 1e-2]
    assert results["trials"][0]["scores"]["psnr"] == 19.0
    assert results["trials"][0]["scores"]["grey_copy_psnr"] == 27.0
    assert results["trials"][0]["steps"] == 4
    assert "| 0.001 | 20.04 | 19.00 | 27.00 |" in (tmp_path / "s" / "results.md").read_text()
    assert (
        (tmp_path / "s" / "results.csv").read_text().startswith("name,optimiser.lr,state,reason,validation_psnr,psnr")
    )


def test_a_larger_grid_goes_on_and_anything_else_is_refused_with_the_field(tmp_path):
    sweep(tmp_path / "s", "optimiser.lr=1e-3,1e-2")
    done = steps_done(tmp_path / "s")
    larger = sweep(tmp_path / "s", "optimiser.lr=1e-3,1e-2,1e-4")
    assert len(larger["trials"]) == 3
    assert {step: count for step, count in steps_done(tmp_path / "s").items() if step in done} == done
    with pytest.raises(RecipeMismatchError, match=r"data\.size: 32 in the sweep, 64 asked"):
        sweep(tmp_path / "s", "optimiser.lr=1e-3,1e-2,1e-4", "data.size=64", "codec.chroma_size=32")
    with pytest.raises(RecipeMismatchError, match=r"trial lr=0\.01: in the sweep, not asked any more"):
        sweep(tmp_path / "s", "optimiser.lr=1e-3,1e-4")
    with pytest.raises(RecipeMismatchError, match="fields that are tried"):
        sweep(tmp_path / "s", "training.seed=0,1")


def test_a_trial_that_fails_is_a_row_with_its_reason_and_the_rest_goes_on(tmp_path):
    results = sweep(tmp_path / "s", "training.seed=12,13,14,15")
    rows = {row["values"]["training.seed"]: row for row in results["trials"]}
    assert [rows[seed]["state"] for seed in (12, 13, 14, 15)] == ["complete", "failed", "failed", "complete"]
    assert rows[13]["reason"] == "diverged"
    assert "SIGKILL" in rows[14]["reason"]
    before = steps_done(tmp_path / "s")
    sweep(tmp_path / "s", "training.seed=12,13,14,15")
    assert steps_done(tmp_path / "s") == before, "what has failed is finished"
    retried = sweep(tmp_path / "s", "training.seed=12,13,14,15", retry_failed=True)
    assert states(retried) == states(results)


def test_a_bad_point_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(RecipeError, match=r"trial training\.batch_size=0: .*training\.batch_size"):
        sweep(tmp_path / "s", "training.batch_size=1,0")
    assert not (tmp_path / "s").exists()


def test_chosen_trials_go_on_to_a_greater_length_from_a_copy(tmp_path):
    file = tmp_path / "experiment.yaml"
    file.write_text(
        "recipe: tiny\noverrides: {training.steps: 4}\ngrid: {optimiser.lr: [1.0e-3, 1.0e-2]}\n"
        "then: {where: {optimiser.lr: 1.0e-3}, steps: 6}\n"
    )
    results = sweep(tmp_path / "s", recipe=file)
    rows = {row["name"]: row for row in results["trials"]}
    assert rows.keys() == {"lr=0.001", "lr=0.01", "lr=0.001,steps=6"}
    assert {name: row["steps"] for name, row in rows.items()} == {"lr=0.001": 4, "lr=0.01": 4, "lr=0.001,steps=6": 6}
    done = steps_done(tmp_path / "s")
    assert [step for step in range(1, 7) if done[f"lr=0.001,steps=6 {step}"]] == [5, 6], "only what was missing"
    assert (tmp_path / "s" / "trials" / "lr=0.001" / "checkpoints" / "last.pt").read_text() == "4"


def test_tpe_proposes_as_many_points_as_were_asked_for_and_goes_on_after_a_restart(tmp_path):
    first = sweep(tmp_path / "s", "optimiser.lr=1e-5..1e-1", trials=3, prune=False)
    assert len(first["trials"]) == 3 and set(states(first).values()) == {"complete"}
    rates = [row["values"]["optimiser.lr"] for row in first["trials"]]
    assert all(1e-5 <= rate <= 1e-1 for rate in rates)
    done = steps_done(tmp_path / "s")
    second = sweep(tmp_path / "s", "optimiser.lr=1e-5..1e-1", trials=5, prune=False)
    assert len(second["trials"]) == 5
    assert {step: count for step, count in steps_done(tmp_path / "s").items() if step in done} == done


def test_trials_below_the_median_are_pruned(tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_STEP_S", "0.1")
    rates = "optimiser.lr=1e-3,1.1e-3,1.2e-3,1.3e-3,1e-1"
    results = sweep(tmp_path / "s", rates, "training.steps=12", prune=True)
    rows = {row["values"]["optimiser.lr"]: row for row in results["trials"]}
    assert rows[1e-1]["state"] == "pruned" and rows[1e-1]["steps"] < 12
    assert rows[1e-3]["state"] == "complete"


def start(out, *settings, storage="-"):
    words = [*DRIVER, str(out), storage, "tiny", "training.steps=20", *settings]
    environment = {**os.environ, "FAKE_STEP_S": "0.03"}
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, text=True)


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.05)


def share(out_1, out_2, storage, ledgers):
    """Two processes share a sweep, one is killed at work; afterwards each step of each point was trained once.

    A step that was done and not yet in the checkpoint when the process died may come twice, once a kill.
    """
    settings = ("training.seed=0,1,2,3",)
    first = start(out_1, *settings, storage=storage)
    wait_for(lambda: any(ledger.exists() and len(ledger.read_text().splitlines()) > 3 for ledger in ledgers))
    second = start(out_2, *settings, storage=storage)
    wait_for(lambda: sum(len(ledger.read_text().splitlines()) for ledger in ledgers if ledger.exists()) > 25)
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stderr.close()
    _, said = second.communicate(timeout=120)
    assert second.returncode == 0, said
    results = json.loads((out_2 / "results.json").read_text())
    assert set(states(results).values()) == {"complete"} and len(results["trials"]) == 4
    done = sum((Counter(ledger.read_text().splitlines()) for ledger in ledgers), Counter())
    assert len(done) == 80
    return done


def test_two_processes_share_a_store_and_the_other_takes_over_when_one_is_killed(tmp_path):
    out = tmp_path / "s"
    done = share(out, out, "-", [out / "trials" / "ledger.txt"])
    assert max(done.values()) <= 2 and sum(done.values()) <= 81


def test_a_sweep_that_is_interrupted_goes_on_with_the_step_that_comes_next(tmp_path):
    out = tmp_path / "s"
    process = start(out, "training.seed=0,1")
    wait_for(lambda: (out / "trials" / "ledger.txt").exists())
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in said
    before = sum(steps_done(out).values())
    assert 0 < before < 40
    process = start(out, "training.seed=0,1")
    assert process.wait(60) == 0
    process.stderr.close()
    done = steps_done(out)
    assert len(done) == 40 and set(done.values()) == {1}


def test_two_machines_share_a_sweep_on_postgresql_and_the_other_takes_over_when_one_is_killed(postgres, tmp_path):
    """The machines are two folders of one name; as they do not see each other's locks, the lease has to lapse."""
    one, two = tmp_path / "one" / "s", tmp_path / "two" / "s"
    done = share(one, two, postgres, [out / "trials" / "ledger.txt" for out in (one, two)])
    again = [step for step, count in done.items() if count > 1]
    assert len({step.rpartition(" ")[0] for step in again}) <= 1, "only what the dead one was at begins again"
    tables = [json.loads((two / "results.json").read_text())]
    assert all(row["scores"]["psnr"] == 19.0 for row in tables[0]["trials"]), "the table of one has the scores of both"
    assert "secret" not in "".join(path.read_text() for path in two.glob("*.yaml"))


def test_a_storage_that_cannot_be_reached_is_one_line_without_its_password(tmp_path):
    pytest.importorskip("psycopg")
    with pytest.raises(RunError) as caught:
        sweep(tmp_path / "s", "training.seed=0,1", storage="postgresql://me:secret@127.0.0.1:1/none")
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)
    assert str(caught.value).startswith("--storage postgresql://me@127.0.0.1:1/none: cannot be used")
