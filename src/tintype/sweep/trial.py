"""Training one point in a process of its own: started, watched, stopped gently where that is asked; what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tintype.atomic import make_folder
from tintype.errors import OutputError, RunError
from tintype.recipe import Recipe
from tintype.sweep.locks import FileLock
from tintype.sweep.points import Point

Ending = Literal["finished", "stopped", "diverged", "failed"]

COMMAND = [sys.executable, "-m", "tintype.sweep.child"]
"""What trains a trial."""

_LOOK_EVERY_S = 0.5
_MAX_EVENT_BYTES = 256 << 20
_COPIED = ("recipe.yaml", "split.json", "environment.json", "events.jsonl", "checkpoints", "samples")
"""What a run that goes on from a copy of another needs; the rest is made anew at its end."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a training ended, and why where it failed."""

    ending: Ending
    reason: str = ""


@dataclass(slots=True)
class Events:
    """What events.jsonl says of validation so far: scores by step."""

    validation: dict[int, dict[str, float]] = field(default_factory=dict)
    step: int = 0


def train(
    point: Point,
    folder: Path,
    log: Path,
    lock: FileLock,
    threads: int,
    watch: Callable[[float, Events], bool],
) -> Result:
    """Train a point in its run folder, from nothing or from where it stopped.

    Args:
        point: What to train.
        folder: The run folder.
        log: Where the process's messages go, appended.
        lock: Held by the process too, so that nobody takes the point over while it lives.
        threads: For OMP_NUM_THREADS, unless the environment sets that.
        watch: Called twice a second with the seconds so far and the events; False stops the training gently.
    """
    make_folder(log.parent)
    began = time.monotonic()
    environment = {"OMP_NUM_THREADS": str(threads), **os.environ}
    with log.open("ab") as messages:
        process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=messages,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the parent, which stops its children
            pass_fds=[lock.descriptor] if os.name == "posix" else (),
        )
    assert process.stdin is not None and process.stdout is not None
    stopping = False
    try:
        with contextlib.suppress(BrokenPipeError):
            asked = {"recipe": point.recipe.model_dump(mode="json"), "out": str(folder)}
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            process.stdin.flush()
        events = EventReader(folder / "events.jsonl")
        while True:
            try:
                process.wait(_LOOK_EVERY_S)
                break
            except subprocess.TimeoutExpired:
                if not watch(time.monotonic() - began, events.read()) and not stopping:
                    stopping = True
                    process.send_signal(signal.SIGTERM)
        watch(time.monotonic() - began, events.read())
        return _result(process.returncode, process.stdout.read(), stopping, log)
    finally:
        if process.poll() is None:  # only on the way out of an error
            process.kill()
            process.wait()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()


def _result(code: int, output: bytes, stopping: bool, log: Path) -> Result:
    try:
        answer = json.loads(output.splitlines()[-1])
        outcome, kind, reason = answer["outcome"], answer.get("kind", ""), answer.get("reason", "")
    except (ValueError, IndexError, KeyError, TypeError):
        if stopping:  # killed while it could not yet, or not any more, stop gently
            return Result("stopped")
        if code < 0:
            name = signal.Signals(-code).name
            full = ", as the system does where memory is full" if name == "SIGKILL" else ""
            return Result("failed", f"killed by {name}{full}; see logs/{log.name}")
        return Result("failed", f"ended with code {code}; see logs/{log.name}")
    if outcome == "failed":
        return Result("diverged" if kind == "NonFiniteLossError" else "failed", reason)
    if outcome == "stopped" and not stopping:
        return Result("stopped", "asked to stop by somebody else")
    return Result("finished" if outcome == "finished" else "stopped")


class EventReader:
    """Reads events.jsonl again whenever it has changed; a run that goes on may have cut it."""

    def __init__(self, path: Path) -> None:
        self._path, self._known, self._events = path, (-1, -1), Events()

    def read(self) -> Events:
        """What it says now."""
        try:
            stat = self._path.stat()
            if (stat.st_size, stat.st_mtime_ns) == self._known or stat.st_size > _MAX_EVENT_BYTES:
                return self._events
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return self._events
        self._known = (stat.st_size, stat.st_mtime_ns)
        events = Events()
        for line in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                event = json.loads(line)
                events.step = max(events.step, int(event["step"]))
                if event["event"] == "validation":
                    scores = {name: float(value) for name, value in event["scores"].items()}
                    events.validation[int(event["step"])] = scores
        self._events = events
        return events


def score_name(recipe: Recipe) -> str:
    """The validation score that trials are compared by."""
    if recipe.method.kind == "gan":
        return "kid"
    return "psnr" if recipe.best_by == "last" else recipe.best_by


def minimised(score: str) -> bool:
    """Whether small values of a validation score are good ones."""
    return score in ("ciede2000", "kid")


def validation_score(recipe: Recipe, scores: Mapping[str, float]) -> float | None:
    """That score of one validation: of pairs, or without any the mean of both cycles."""
    if (name := score_name(recipe)) in scores:
        return scores[name]
    cycles = [scores[name] for name in ("cycle_ab_psnr", "cycle_ba_psnr") if name in scores]
    return sum(cycles) / len(cycles) if cycles else None


def final_score(recipe: Recipe, events: Events) -> float | None:
    """The score of the networks that the run ships: the best, or the last where the recipe ships those."""
    scores = {step: validation_score(recipe, one) for step, one in sorted(events.validation.items())}
    known = [score for score in scores.values() if score is not None]
    if not known:
        return None
    if recipe.best_by == "last":
        return known[-1]
    return min(known) if minimised(recipe.best_by) else max(known)


def copy_run(parent: Path, folder: Path) -> None:
    """Make a run folder that goes on from a finished one; whole or absent, and as it is where there is one.

    Raises:
        RunError: There is no finished run.
        OutputError: The copy cannot be written.
    """
    if folder.exists():
        return
    if not (parent / "checkpoints" / "last.pt").is_file():
        raise RunError(f"{parent}: holds no checkpoint to go on from")
    temporary = folder.with_name(f".{folder.name[-60:]}-copy")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for name in _COPIED:
            source = parent / name
            if source.is_dir():
                shutil.copytree(source, temporary / name)
            elif source.is_file():
                shutil.copy2(source, temporary / name)
        temporary.replace(folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); check the disk") from None


def read_scores(folder: Path, recipe: Recipe) -> dict[str, Any]:
    """Test scores of a finished run, of A to B where there are two directions; empty without any."""
    path = folder / ("scores.json" if len(recipe.directions) == 1 else "scores_ab.json")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if "samples" in data:
            return _sample_scores(data)
        rows = data["rows"]
        if not rows:
            cycle = (data.get("consistency") or {}).get("cycle") or {}
            return {"cycle_psnr": cycle["psnr"]["mean"]} if cycle else {}
        model = rows[0]
        scores = {name: model[name]["mean"] for name in ("psnr", "gain", "ssim", "ciede2000")}
        scores["colourfulness_ratio"] = model["colourfulness_ratio"]
        for row in rows[1:]:
            if row["name"] in ("grey copy", "identity", "bicubic"):
                scores[f"{row['name'].replace(' ', '_')}_psnr"] = row["psnr"]["mean"]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return {}
    return scores


def _sample_scores(data: dict[str, Any]) -> dict[str, Any]:
    """Those of a model that makes pictures from noise."""
    model, real = data["samples"][:2]
    scores = {"kid": model["kid"]["mean"], "real_kid": real["kid"]["mean"]}
    scores |= {f"sample_{name}": model[name] for name in ("precision", "recall", "covered", "copies")}
    scores["sample_accuracy"] = (model["accuracy"] or {}).get("mean")
    judged = data["discriminator"] or {}
    scores["discriminator_accuracy"] = judged.get("accuracy")
    for kind in ("real", "fake"):
        scores[f"discriminator_accuracy_{kind}"] = data["discriminator_in_training"].get(kind)
    return scores
