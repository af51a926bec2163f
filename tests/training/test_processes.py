"""Two real processes train one model: as one process would, stopped and killed as one would be."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn

from tintype.console import Reporter
from tintype.errors import DataError, RunError, UsageError
from tintype.recipe import load_recipe
from tintype.training import train
from tintype.training.batch_norm import join_batch_norm
from tintype.training.checkpoint import load_checkpoint
from tintype.training.processes import Team, make_fabric

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and loopback connections of Linux")

QUIET = Reporter(quiet=True)
CADENCE = [f"training.{name}" for name in ("log_every=2", "checkpoint_every=3", "validate_every=4", "sample_every=4")]
PIX2PIX = [*CADENCE, "training.steps=8", "discriminator.norm=batch"]
CYCLEGAN = [
    *CADENCE,
    "training.steps=8",
    "codec={kind: rgb, source: grey3}",
    "generator={kind: resnet, filters: 4, blocks: 1, norm: instance, dropout: 0}",
    "discriminator.norm=instance",
    "method={kind: cyclegan, pool: 6, gradient_penalty: 0.1, penalty_every: 2}",
    "optimiser.lr=2e-5",  # at a higher rate so small a network makes much of a rounding error, in one process too
    "optimiser.eps=1e-3",  # Adam would make steps of the rounding errors that are the gradients of idle biases
]

WORKER = """
import json, os, pathlib, signal, sys
import tintype.errors
import tintype.training
from tintype.training.trainer import Trainer

tintype.training.conclude = lambda *_: None  # models and scores are another test's business
honest = Trainer.train_step

for out, overrides, blow in json.loads(sys.argv[1]):
    def train_step(self):
        honest(self)
        if blow and [int(os.environ["RANK"]), self.step] == blow[1:]:
            os.kill(os.getpid(), blow[0])

    Trainer.train_step = train_step
    try:
        tintype.training.train("tiny", out, overrides)
    except tintype.errors.NonFiniteLossError as error:
        pathlib.Path(f"{out}.{os.environ['RANK']}").write_text(str(error))
"""


def torchrun(*arguments: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=240)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, picture_set: Path) -> Path:
    """Runs of two processes: `pix2pix` and `cyclegan`; `straight`, that `stopped` and gone on with, `killed`."""
    folder, data = tmp_path_factory.mktemp("processes"), f"data.path={picture_set}"
    jobs: list[tuple[str, list[str], list[int] | None]] = [
        (str(folder / "pix2pix"), [data, *PIX2PIX, "generator.dropout=0"], None),
        (str(folder / "cyclegan"), [data, *CYCLEGAN], None),
        (str(folder / "straight"), [data, *PIX2PIX], None),
        (str(folder / "stopped"), [data, *PIX2PIX], [signal.SIGTERM, 1, 5]),
        (str(folder / "kept"), [data, *PIX2PIX], [signal.SIGTERM, 1, 5]),
        (str(folder / "stopped"), [data, *PIX2PIX], None),
        (str(folder / "diverged"), [data, *PIX2PIX, "optimiser.lr=1e30"], None),
        (str(folder / "killed"), [data, *PIX2PIX], [signal.SIGKILL, 1, 5]),
    ]
    (folder / "worker.py").write_text(WORKER)
    done = torchrun(str(folder / "worker.py"), json.dumps(jobs))
    (folder / "said").write_text(done.stderr)
    assert done.returncode != 0
    return folder


def last(run: Path) -> dict[str, Any]:
    return load_checkpoint(run / "checkpoints" / "last.pt")


def events(run: Path, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == kind]


def difference(a: Any, b: Any) -> float:
    """Largest difference between numbers at the same places of two trees."""
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        return max((difference(a[key], b[key]) for key in a), default=0.0)
    if isinstance(a, list | tuple):
        assert len(a) == len(b)
        return max(map(difference, a, b), default=0.0)
    if isinstance(a, torch.Tensor):
        return (a.double() - b.double()).abs().max().item() if a.numel() else 0.0
    return abs(a - b) if isinstance(a, int | float) else float(a != b)


@pytest.mark.usefixtures("nothing_shipped")
@pytest.mark.parametrize(
    ("name", "overrides"), [("pix2pix", [*PIX2PIX, "generator.dropout=0"]), ("cyclegan", CYCLEGAN)]
)
def test_two_processes_train_what_one_trains(
    runs: Path, tmp_path: Path, picture_set: Path, name: str, overrides: list[str]
) -> None:
    assert train("tiny", tmp_path / "one", [f"data.path={picture_set}", *overrides], reporter=QUIET)
    one, two = last(tmp_path / "one"), last(runs / name)
    # instance norm makes much of little where a picture is flat, and the pools hold what it made
    for key, most in (("networks", 5e-5), ("ema", 5e-5), ("method", 1e-2)):
        assert difference(one[key], two[key]) < most, key
    for kind, field, most in (("log", "terms", 1e-3), ("validation", "scores", 1e-2)):  # the scores are in dB
        for ours, theirs in zip(events(tmp_path / "one", kind), events(runs / name, kind), strict=True):
            assert difference(ours[field], theirs[field]) < most
    assert [len(pool) for pool in two["method"].values()] == [6, 6][: len(one["method"])]


def test_a_request_to_one_process_stops_all_at_the_same_step(runs: Path) -> None:
    assert last(runs / "kept")["step"] == 5
    assert [event["step"] for event in events(runs / "kept", "checkpoint")] == [3, 5]


def test_stopped_and_gone_on_two_processes_end_with_the_same_bits(runs: Path) -> None:
    assert_same_state(runs / "stopped", runs / "straight")
    assert len(last(runs / "straight")["other_random"]) == 1


def test_a_loss_that_is_not_finite_is_noticed_by_all_alike(runs: Path) -> None:
    first, second = ((runs / f"diverged.{rank}").read_text() for rank in range(2))
    assert first == second
    assert "training has diverged" in first


def assert_same_state(one: Path, other: Path) -> None:
    a, b = last(one), last(other)
    del a["journal_length"], b["journal_length"]  # times are written with more or fewer digits
    assert difference(a, b) == 0


def test_another_number_of_processes_is_refused(runs: Path, picture_set: Path) -> None:
    with pytest.raises(
        RunError, match=r"last\.pt: the run was trained with 2 processes, 1 now; go on with 2"
    ) as caught:
        train("tiny", runs / "kept", [f"data.path={picture_set}", *PIX2PIX], reporter=QUIET)
    assert "\n" not in str(caught.value)


def test_one_killed_process_ends_the_others_and_the_run_goes_on_to_the_end(runs: Path, picture_set: Path) -> None:
    run, overrides = runs / "killed", [f"data.path={picture_set}", *PIX2PIX]
    said = runs / "said"
    assert "another process of this run has ended" in said.read_text()
    assert said.stat().st_mtime - (run / "events.jsonl").stat().st_mtime < 60
    assert last(run)["step"] == 3

    done = torchrun("-m", "tintype", "train", "tiny", *overrides, "--out", str(run))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("going on from step 3") == 1
    assert_same_state(run, runs / "straight")
    assert json.loads((run / "environment.json").read_text())["processes"] == 2
    assert [event["step"] for event in events(run, "log")] == [2, 4, 6, 8]
    for name in ("model.onnx", "model.safetensors", "scores.json", "report.html", "samples/step-000008.png"):
        assert (run / name).is_file()


@pytest.mark.parametrize(
    ("variables", "overrides", "said"),
    [
        ({"WORLD_SIZE": "3"}, [], r"training\.batch_size=4 .* does not divide by 3 processes"),
        ({"WORLD_SIZE": "4"}, [], "unequal numbers of processes"),
        ({}, ["training.device=mps"], "mps"),
    ],
)
def test_processes_that_do_not_fit_are_refused_before_they_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], overrides: list[str], said: str
) -> None:
    launched = {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_WORLD_SIZE": "1"}
    for name, value in (launched | {"RANK": "0"} | variables).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=said) as caught:
        make_fabric(load_recipe("tiny", ["training.device=cpu", *overrides]))
    assert "\n" not in str(caught.value)


def test_hosts_that_see_different_things_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Team, "collect", lambda self, value: [{"set of pictures": "a"}, {"set of pictures": "b"}])
    with pytest.raises(DataError, match=r"process 1 has another set of pictures than process 0 \(b, a\)"):
        Team(0, 2).require_equal({"set of pictures": "a"})


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_joined_batch_norm_is_torchs_own(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    backend = "gloo" if device == "cpu" else "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
    try:
        torch.manual_seed(0)
        own, joined = (nn.Sequential(nn.BatchNorm2d(5)).to(device) for _ in range(2))
        join_batch_norm(joined)
        x = torch.randn(3, 5, 4, 6, device=device) * 3 + 7
        results = []
        for network in (own, joined):
            inputs = x.clone().requires_grad_()
            (network(inputs) * torch.arange(6.0, device=device)).square().sum().backward()
            state = [*network.state_dict().values(), *(parameter.grad for parameter in network.parameters())]
            results.append([inputs.grad, network.eval()(x).detach(), *state])
        for theirs, ours in zip(*results, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
        assert own.state_dict().keys() == joined.state_dict().keys()
    finally:
        dist.destroy_process_group()
