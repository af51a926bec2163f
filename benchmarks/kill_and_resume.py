"""Exact resume, proven: a run that is killed 20 times ends bit for bit like one that is left alone.

    python benchmarks/kill_and_resume.py [--kills 20] [--seed 0] [--recipe RECIPE] [--keep FOLDER]

Every process is the real command, ended by SIGKILL. Some kills come from outside, at random moments of the start, of
training and of the end. The others are aimed: a few lines that run before the command replace how files are written,
and let the process kill itself in the middle of a certain write. After every kill everything in the run folder must be
readable; at the end weights, optimisers, averages, pool, random state, models, panels and scores must be the same bytes
as in the undisturbed run, and the log the same but for times. `tests/training/test_kill.py` does it with three kills.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tintype.atomic import final_name
from tintype.inference.modelfile import read_card
from tintype.recipe import load_recipe
from tintype.training.checkpoint import load_checkpoint
from tintype.training.rundir import RunDir

RECIPE = """\
name: kill
description: A small CycleGAN with everything that a checkpoint has to hold.
data: {kind: colour, path: "bundled:hubble", size: 32}
codec: {kind: rgb, source: grey3}
generator: {kind: resnet, filters: 4, blocks: 1, dropout: 0.3}
discriminator: {kind: patchgan, filters: 4, layers: 1, norm: instance}
method: {kind: cyclegan, pool: 4}
optimiser: {decay: {start: 10, end: 60, final: 0.1}}
training: {steps: 1, batch_size: 2, ema: 0.9, sample_count: 1}
"""
CADENCES = {"log_every": 3, "checkpoint_every": 5, "validate_every": 8, "sample_every": 11}

TRAP = """
import fnmatch, os, pathlib, signal, sys
moment, pattern, turns = sys.argv[1], sys.argv[2], int(sys.argv[3])
del sys.argv[1:4]

def due(path, when):
    global turns
    turns -= moment == when and fnmatch.fnmatch(path.name, pattern)
    return moment == when and turns == 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def writing(honest):
    def write(self, data, *options, **named):
        if due(self, "half"):
            honest(self, data[: len(data) // 2], *options, **named)
            die()
        return honest(self, data, *options, **named)
    return write

def replace(self, target, honest=pathlib.Path.replace):
    if due(self, "written"):
        die()
    ended = due(self, "renamed")
    honest(self, target)
    if ended:
        die()
    return target

pathlib.Path.write_bytes = writing(pathlib.Path.write_bytes)
pathlib.Path.write_text = writing(pathlib.Path.write_text)
pathlib.Path.replace = replace
if moment == "journal":
    from tintype.training.journal import Journal

    def line(self, event, step, honest=Journal.write, **fields):
        if fnmatch.fnmatch(event, pattern) and due(pathlib.Path(pattern), "journal"):
            self._file.write(b'{"event": "log", "st')
            self._file.flush()
            die()
        honest(self, event, step, **fields)

    Journal.write = line
from tintype.cli import main
main()
"""
"""Runs the command whose arguments follow, and kills it: at which moment, of a file or event of which name, how often
it is let pass. The moments: "half" a file is written; it is "written" but not renamed; it is "renamed"; half a line is
in the "journal"."""


@dataclass(frozen=True)
class Kill:
    """When a process ends: in a trap, or where that is empty, seconds after the run has reached a step."""

    what: str
    trap: tuple[str, str, int] | None = None
    step: int = 0
    delay: float = 0.0


def command(*arguments: object, trap: tuple[str, str, int] | None = None) -> list[str]:
    """The real command line; a trap before it where one is given."""
    front = ["-c", TRAP, *map(str, trap)] if trap else ["-m", "tintype"]
    return [sys.executable, *front, *map(str, arguments)]


def kill(moment: Kill, run: Path, arguments: list[str]) -> None:
    """Train until the kill.

    Raises:
        RuntimeError: The process ended by itself, or the moment never came.
    """
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command(*arguments, trap=moment.trap), stderr=said, stdout=said)
        try:
            if moment.trap:
                process.wait(300)
            else:
                _wait(lambda: process.poll() is not None or reached(run) >= moment.step)
                time.sleep(moment.delay)
                process.kill()
        finally:
            process.kill()
            process.wait()
        if process.returncode != -9:
            said.seek(0)
            raise RuntimeError(f"{moment.what}: not killed, ended with {process.returncode}: {said.read()[-2000:]}")


def _wait(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not happened():
        if time.monotonic() > deadline:
            raise RuntimeError("nothing happened for five minutes")
        time.sleep(0.01)


def events(run: Path) -> list[dict[str, Any]]:
    """The lines of the log that are whole, without what differs between two runs that are the same."""
    file = RunDir(run).events
    lines = file.read_text().split("\n")[:-1] if file.exists() else []
    return [{k: v for k, v in json.loads(line).items() if k not in ("time", "images_per_second")} for line in lines]


def reached(run: Path) -> int:
    """Last step in the log."""
    return max((line["step"] for line in events(run)), default=0)


def saved(run: Path) -> int:
    """Step of the last checkpoint."""
    last = RunDir(run).last
    return load_checkpoint(last)["step"] if last.exists() else 0


def read_everything(run: Path) -> None:
    """Read all that a run holds; raises if anything is not whole."""
    folder = RunDir(run)
    for checkpoint in (folder.last, folder.best):
        if checkpoint.exists():
            load_checkpoint(checkpoint)
    if folder.recipe_file.exists():
        load_recipe(folder.recipe_file)
        assert folder.read_split() is not None, "a recipe without a split"
    events(run)
    for path in run.iterdir() if run.exists() else ():
        if path.name.startswith("model"):
            read_card(path)
        elif path.suffix == ".json" and final_name(path.name) is None:
            json.loads(path.read_text())


def require_report(run: Path) -> None:
    """Have `tintype report` give a page, or one line that says why not."""
    done = subprocess.run(
        command("report", run, "--out", run.with_suffix(".html")), capture_output=True, text=True, check=False
    )
    if done.returncode and ("Traceback" in done.stderr or len(done.stderr.strip().splitlines()) != 1):
        raise RuntimeError(f"tintype report {run}: {done.stderr}")


def unfinished(run: Path) -> list[str]:
    """Temporary files in a run folder."""
    return [path.relative_to(run).as_posix() for path in run.rglob(".*") if final_name(path.name)]


def differences(one: Path, other: Path, steps: int, log_every: int) -> list[str]:
    """What is not the same in two finished runs, one line each."""
    found = []
    for name in ("last", "best"):
        files = [getattr(RunDir(run), name) for run in (one, other)]
        if any(file.exists() for file in files):
            a, b = map(load_checkpoint, files)
            # times are written with more or fewer digits, so the logs' lengths differ
            found += [f"{name}.pt: {where}" for where in _unequal(a, b) if where != "journal_length"]
    a_lines, b_lines = events(one), events(other)
    found += [f"events.jsonl: {x} and {y}" for x, y in zip(a_lines, b_lines, strict=False) if x != y]
    logged = [line["step"] for line in a_lines if line["event"] == "log"]
    if len(a_lines) != len(b_lines) or logged != list(range(log_every, steps + 1, log_every)):
        found.append(f"events.jsonl: {len(a_lines)} and {len(b_lines)} lines; logged steps {logged}")
    if left := unfinished(one):
        found.append(f"unfinished files are left: {left}")
    skipped = {"events.jsonl", "report.html", "last.pt", "best.pt"}  # compared above; the page shows times
    contents = [
        {
            path.relative_to(run).as_posix(): path.read_bytes()
            for path in run.rglob("*")
            if path.is_file() and path.name not in skipped and not final_name(path.name)
        }
        for run in (one, other)
    ]
    names = sorted(contents[0].keys() | contents[1].keys())
    return found + [f"{name}: differs" for name in names if contents[0].get(name) != contents[1].get(name)]


def _unequal(a: Any, b: Any, where: str = "") -> Iterator[str]:
    """Places where two nested values are not the same, tensors bit for bit."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        bits = [x.contiguous().reshape(-1).view(torch.uint8) for x in (a, b)]
        if a.dtype != b.dtype or a.shape != b.shape or not torch.equal(*bits):
            yield where
    elif isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        for key in a:
            yield from _unequal(a[key], b[key], f"{where}/{key}".lstrip("/"))
    elif isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        for number, (x, y) in enumerate(zip(a, b, strict=True)):
            yield from _unequal(x, y, f"{where}/{number}")
    elif type(a) is not type(b) or a != b:
        yield where


def plan(kills: int, rng: random.Random, keeps_best: bool) -> list[Callable[[int, int], Kill]]:
    """What is killed and when, in order; each takes the last step in the log and that of the run's end."""

    def aimed(what: str, moment: str, pattern: str, turns: int = 1) -> Callable[[int, int], Kill]:
        return lambda at, end: Kill(what, (moment, pattern, turns))

    def training(at: int, end: int) -> Kill:
        step, delay = min(at + rng.randint(3, 11), end - 1), rng.uniform(0, 0.15)
        return Kill(f"training, {delay * 1000:.0f} ms after step {step}", step=step, delay=delay)

    def starting(at: int, end: int) -> Kill:
        delay = rng.uniform(0.5, 8)
        return Kill(f"{delay:.1f} s after the start", delay=delay)

    def ending(at: int, end: int) -> Kill:
        delay = rng.uniform(0.2, 4)
        return Kill(f"{delay:.1f} s after the last step", step=end, delay=delay)

    first = [
        aimed("picture cache, before it is renamed", "written", "*.part"),
        aimed("picture cache, index half written", "half", "*.part"),
        aimed("recipe.yaml, half written", "half", ".recipe-*"),
        aimed("first checkpoint, half written", "half", ".last-*"),
        *([aimed("best checkpoint, half written", "half", ".best-*")] if keeps_best else ()),
    ]
    middle = [
        aimed("checkpoint, half written", "half", ".last-*", 2),
        aimed("checkpoint, written but not renamed", "written", ".last-*", 2),
        aimed("checkpoint, just renamed", "renamed", ".last-*", 2),
        aimed("sample panel, half written", "half", ".step-*"),
        aimed("log, half a line of losses", "journal", "log", 3),
        aimed("log, half a line of a checkpoint", "journal", "checkpoint", 2),
        aimed("log, half a line of scores", "journal", "validation"),
        starting,
    ]
    last = [
        ending,
        aimed("model, half written", "half", ".model*.safetensors"),
        aimed("second ONNX model, half written", "half", ".model*.onnx", 2),
        aimed("scores, half written", "half", ".scores*"),
    ]
    if kills < len(first) + len(middle) + len(last):
        return [first[3], middle[0], *([training] * kills)][:kills]
    middle += [training] * (kills - len(first) - len(middle) - len(last))
    rng.shuffle(middle)
    return [*first, *middle, *last]


@contextmanager
def _working_folder(keep: Path | None) -> Iterator[Path]:
    if keep:
        keep.mkdir(parents=True)
        yield keep
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)


def main() -> int:
    """Train twice, once with kills; compare; print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", help="another recipe; its length and cadences are replaced")
    parser.add_argument("--keep", type=Path, help="a new folder to keep both runs in")
    options = parser.parse_args()
    steps = 20 + 10 * options.kills
    with _working_folder(options.keep) as folder:
        recipe = folder / "kill.yaml"
        recipe.write_text(RECIPE)
        overrides = [f"training.{name}={value}" for name, value in (CADENCES | {"steps": steps}).items()]
        arguments = ["train", options.recipe or str(recipe), "training.device=cpu", "training.epochs=null", *overrides]
        keeps_best = load_recipe(options.recipe or recipe).best_by != "last"
        killed, straight = folder / "killed", folder / "undisturbed"
        os.environ["TINTYPE_CACHE"] = str(folder / "cache")

        print(f"{steps} steps, {', '.join(f'{name} {value}' for name, value in CADENCES.items())}")
        print(f"{'kill':>4}  {'what was going on':<44}{'last line':>10}{'checkpoint':>12}{'left behind':>13}")
        for number, choose in enumerate(plan(options.kills, random.Random(options.seed), keeps_best), start=1):
            one = choose(reached(killed), steps)
            kill(one, killed, [*arguments, "--out", str(killed)])
            read_everything(killed)
            require_report(killed)
            files = len(unfinished(killed))
            print(f"{number:>4}  {one.what:<44}{reached(killed):>10}{saved(killed):>12}{files:>13}", flush=True)
        for run in (killed, straight):
            subprocess.run(command(*arguments, "--out", run), check=True, capture_output=True)
        found = differences(killed, straight, steps, CADENCES["log_every"])
        read_everything(killed)
        require_report(killed)
        content = load_checkpoint(RunDir(killed).last)
    pools = ", ".join(f"{name} {len(pictures)}" for name, pictures in content["method"].items())
    print(f"ended at step {content['step']}, pictures in the pools: {pools or 'none'}")
    for line in found:
        print(f"DIFFERENT: {line}")
    print("not the same" if found else f"after {options.kills} kills the same as the undisturbed run, bit for bit")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
