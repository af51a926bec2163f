"""The run folder: where everything of a run lies, and which recipe may go on in it.

The folder is the only record of a run; report, sweep and studio read it. One process at a time may train in it.
"""

from __future__ import annotations

import errno
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from tintype import __version__
from tintype.atomic import atomic_path, final_name, make_folder
from tintype.data.split import Split
from tintype.errors import OutputError, RecipeMismatchError, RunError
from tintype.recipe import Recipe, dump_recipe, load_recipe

_FREE = frozenset(
    {"name", "description", "data.path", "data.path_b", "data.more", "method.teacher"}
    | {f"training.{field}" for field in ("steps", "epochs", "log_every", "validate_every", "checkpoint_every")}
    | {
        f"training.{field}"
        for field in ("sample_every", "sample_steps", "sample_epochs", "sample_count", "tensorboard")
    }
)
"""Fields that may change when a run goes on: length (upwards, see `train`), name, cadences and logging.

Where the pictures lie, and the teacher, may change as well; that they are the same is checked by their contents.
"""

_BEFORE_THE_RECIPE = frozenset({"checkpoints", "samples", "split.json", ".lock"})
"""What a run that was killed before it wrote its recipe may have left, beside unfinished files."""

_LIBRARIES = ("numpy", "onnx", "onnxruntime", "pyvips", "torch", "lightning-fabric")


class RunDir:
    """Paths of a run folder, and reading and writing of its small files."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.recipe_file = self.root / "recipe.yaml"
        self.events = self.root / "events.jsonl"
        self.last = self.root / "checkpoints" / "last.pt"
        self.best = self.root / "checkpoints" / "best.pt"
        self.samples = self.root / "samples"
        self.panels = self.root / "evaluation" / "panels"
        self.split = self.root / "split.json"
        self.report = self.root / "report.html"
        self.tensorboard = self.root / "tensorboard"

    def model(self, suffix: str, kind: str) -> Path:
        """Model file: `suffix` is "" or "_ab", `kind` onnx or safetensors."""
        return self.root / f"model{suffix}.{kind}"

    def scores(self, suffix: str) -> Path:
        """Scores on the test pictures: `suffix` like that of the model."""
        return self.root / f"scores{suffix}.json"

    def check(self, recipe: Recipe) -> Recipe | None:
        """Find out whether a run of `recipe` may begin or go on here; nothing is written yet.

        Returns:
            The recipe that the run had until now, None if it is new.

        Raises:
            OutputError: The folder could not be made or written.
            RecipeMismatchError: It holds a run of another recipe.
            RunError: It is not empty and holds no run.
        """
        old = load_recipe(self.recipe_file) if self.recipe_file.exists() else None
        if old is not None:
            self._refuse_differences(old, recipe)
        try:
            present = {entry.name for entry in self.root.iterdir()} if self.root.exists() else set()
            unfinished = {name for name in present if final_name(name) in ("split.json", "recipe.yaml")}
            foreign = sorted(present - _BEFORE_THE_RECIPE - unfinished)
            if old is None and foreign:
                raise RunError(f"{self.root}: holds {foreign[0]} but no run; choose a new or empty folder as --out")
            nearest = next(
                folder for folder in (self.root.absolute(), *self.root.absolute().parents) if folder.exists()
            )
            if not nearest.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, f"{nearest} is a file")
            if not os.access(nearest, os.W_OK):
                raise PermissionError(errno.EACCES, "Permission denied")
        except OSError as error:
            raise OutputError(
                f"{self.root}: cannot be used as a run folder ({error.strerror}); choose another --out"
            ) from None
        return old

    def make(self) -> None:
        """Make the folder and those in it that training writes to.

        Raises:
            OutputError: That is not possible.
        """
        for folder in (self.root, self.last.parent, self.samples):
            make_folder(folder)

    def _refuse_differences(self, old: Recipe, new: Recipe) -> None:
        differences = recipe_differences(old, new, _FREE)
        if differences:
            listed = "\n".join(f"  {field}: {before} in the run, {after} asked" for field, before, after in differences)
            raise RecipeMismatchError(
                f"{self.root}: holds a run of another recipe:\n{listed}\n"
                "choose another --out, or go on with the run's own recipe: "
                f"tintype train {self.recipe_file} --out {self.root}"
            )

    def read_split(self) -> tuple[Split, dict[str, str]] | None:
        """The split that the run began with, and the content hash of each of its pictures by name; None if it has none.

        Raises:
            RunError: The file is damaged.
        """
        if not self.split.is_file():
            return None
        try:
            recorded = json.loads(self.split.read_text(encoding="utf-8"))
            split, files = Split.from_dict(recorded), dict(recorded["files"])
            if not set(split.train + split.validation + split.test + split.more) <= files.keys():
                raise ValueError("names without a hash")
        except (OSError, ValueError, KeyError, TypeError):
            raise RunError(f"{self.split}: damaged, so nobody knows what the run trained on; start a new run") from None
        return split, files

    def write_split(self, split: Split, files: dict[str, str]) -> None:
        """Record what `read_split` reads."""
        write_text(self.split, json.dumps({**split.to_dict(), "files": files}, indent=1) + "\n")

    def write_recipe(self, recipe: Recipe) -> None:
        """Record the resolved recipe."""
        write_text(self.recipe_file, dump_recipe(recipe))

    def write_environment(self, device: str, threads: int, processes: int) -> None:
        """Record what the run is made with."""
        environment = {
            "tintype": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "device": device,
            "threads": threads,
            "processes": processes,
            "libraries": {name: metadata.version(name) for name in _LIBRARIES},
        }
        write_text(self.root / "environment.json", json.dumps(environment, indent=2) + "\n")

    def remove_unfinished(self) -> None:
        """Remove files that a killed process was writing; only under the lock, which says that it is dead."""
        for folder in (self.root, self.last.parent, self.samples, self.panels):
            for path in folder.glob(".*"):
                if final_name(path.name) not in (None, self.report.name):  # reports are written without the lock
                    with suppress(OSError):
                        path.unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training here; the lock ends with the process, however it ends.

        Raises:
            RunError: Another process is training here.
        """
        try:
            import fcntl
        except ImportError:  # no such locks on Windows: two processes in one folder are then the user's own risk
            yield
            return
        with (self.root / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RunError(
                    f"{self.root}: another process is training here; wait for it or choose another --out"
                ) from None
            yield


def write_text(path: Path, text: str) -> None:
    """Write a small file atomically, making its folder if need be."""
    make_folder(path.parent)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def recipe_differences(old: Recipe, new: Recipe, free: frozenset[str]) -> list[tuple[str, Any, Any]]:
    """Dotted name and both values of each field that differs, but for those that are free to."""
    before, after = _flat(old.model_dump(mode="json")), _flat(new.model_dump(mode="json"))
    fields = [field for field in {**before, **after} if field not in free]
    return [
        (field, before.get(field, "absent"), after.get(field, "absent"))
        for field in fields
        if before.get(field, "absent") != after.get(field, "absent")
    ]


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
