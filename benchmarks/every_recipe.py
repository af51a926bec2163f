"""Every built-in recipe from the command line, on real pictures: trained, killed, gone on with, and put to use.

    python benchmarks/every_recipe.py DATA [RECIPE ...] [--steps 6] [--most 60] [--keep FOLDER]

DATA holds folders named caltech101, cartoons, faces, fashion_mnist and flowers. Of each recipe two runs of few steps
are made with its own networks and size; the batch is at most 2, and of each folder at most so many pictures are used.
One run is ended by SIGKILL after its first checkpoint and started again. Then weights, optimisers, averages, models,
panels and scores of both must be the same bytes, and the ONNX model must translate a picture or draw samples. The
published backbone of photos-lab-resnet18 is replaced by one of its shape without weights.
"""

from __future__ import annotations

import argparse
import gzip
import math
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from colouriser_data import place, subject_of
from kill_and_resume import Kill, command, differences, kill, read_everything

from tintype.recipe import load_recipe, preset_names
from tintype.recipe.schema import Recipe

FOLDERS = {"flowers": "flowers", "faces": "faces", "fashion": "fashion_mnist", "photos": "caltech101"}
"""By the first word of a recipe's name; the others have pictures of their own or are in the list below."""
OTHERS = {"caltech101-lab": "caltech101"}
IN_FOLDERS = "caltech101_in_folders"
SIZES = "embedding_size: 64, hidden_sizes: [64, 128, 256, 512], depths: [2, 2, 2, 2]"
BACKBONE = f"{{model_type: resnet, {SIZES}, layer_type: basic}}"


def overrides_of(name: str, recipe: Recipe, data: Path, pictures: Path, steps: int) -> list[str]:
    """What makes a recipe short, and tells it where the pictures are."""
    found = ["training.log_every=1"]
    found += [f"training.{field}=2" for field in ("validate_every", "checkpoint_every", "sample_every")]
    found += [f"training.steps={steps}", "training.device=cpu", "training.sample_epochs=[]"]
    found += [f"training.batch_size={min(2, recipe.training.batch_size)}"]
    if folder := FOLDERS.get(name.split("-")[0], OTHERS.get(name)):
        found.append(f"data.path={pictures / folder}")
    if getattr(recipe.method, "classes", 0):
        folders = [*(pictures / IN_FOLDERS).iterdir()]
        found += [f"data.path={pictures / IN_FOLDERS}", f"method.classes={len(folders)}"]
    if name == "caltech101-classifier":  # which needs every class
        found.append(f"data.path={data / 'caltech101'}")
    if recipe.data.kind == "unpaired":
        found.append(f"data.path_b={pictures / 'cartoons'}")
    if recipe.generator.kind == "encoder_unet" and recipe.generator.weights != "none":
        found += ["generator.weights=none", f"generator.architecture={BACKBONE}"]
    return found


def use(recipe: Recipe, run: Path, picture: Path) -> None:
    """Translate a picture, or draw samples, by the finished ONNX models.

    Raises:
        CalledProcessError: The command failed.
    """
    for model in sorted(run.glob("model*.onnx")):
        made = run.with_name(f"{run.name}-{model.stem}.png")
        if recipe.method.kind == "classifier":
            arguments = ["inspect", model]
        elif "source" not in recipe.inputs:
            arguments = ["sample", "--model", model, "-n", 4, "--out", made]
        else:
            arguments = ["translate", picture, "--model", model, "--out", made]
        subprocess.run(command(*arguments), check=True, capture_output=True, text=True)


def check(name: str, folder: Path, data: Path, pictures: Path, steps: int) -> list[str]:
    """Train a recipe twice, once with a kill; what is wrong, one line each."""
    recipe = load_recipe(name)
    arguments = ["train", name, *overrides_of(name, recipe, data, pictures, steps)]
    killed, straight = folder / name / "killed", folder / name / "undisturbed"
    try:
        kill(Kill("after the first checkpoint", ("renamed", ".last-*", 1)), killed, [*arguments, "--out", str(killed)])
        for run in (killed, straight):
            subprocess.run(command(*arguments, "--out", run), check=True, capture_output=True, text=True)
        found = differences(killed, straight, steps, 1)
        read_everything(killed)
        use(recipe, killed, next((pictures / "flowers").iterdir()))
    except subprocess.CalledProcessError as error:
        return [f"{error.cmd[3]}: {error.stderr.strip().splitlines()[-1]}"]
    except RuntimeError as error:
        return [str(error).strip().splitlines()[-1]]
    return found


def some_of(data: Path, folder: Path, most: int) -> None:
    """Copies at most so many pictures of each set, evenly spread; of idx files the first, twenty times as many."""
    for source in sorted({*FOLDERS.values(), *OTHERS.values(), "cartoons"}):
        files = sorted(path for path in (data / source).rglob("*") if path.suffix in (".gz", ".jpg", ".png"))
        every = 1 if source == "fashion_mnist" else max(1, len(files) // most)
        for file in files[::every][:most]:
            target = folder / source / file.relative_to(data / source)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source == "fashion_mnist":
                target.with_suffix("").write_bytes(first_of(gzip.decompress(file.read_bytes()), 20 * most))
            else:
                shutil.copyfile(file, target)
    for file in (folder / "caltech101").iterdir():
        place(file, folder / IN_FOLDERS / subject_of(file.name) / file.name)


def first_of(idx: bytes, count: int) -> bytes:
    """The first entries of an idx file of bytes: a number for type and dimensions, the lengths of these, the values."""
    dimensions = idx[3]
    shape = struct.unpack_from(f">{dimensions}I", idx, 4)
    entries = min(count, shape[0])
    start = 4 + 4 * dimensions
    return (
        idx[:4]
        + struct.pack(f">{dimensions}I", entries, *shape[1:])
        + idx[start : start + entries * math.prod(shape[1:])]
    )


def main() -> int:
    """Check recipe after recipe; print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("recipes", nargs="*")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--most", type=int, default=60)
    parser.add_argument("--keep", type=Path, help="a folder to keep the runs in")
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        os.environ["TINTYPE_CACHE"] = str(Path(temporary) / "cache")
        pictures = Path(temporary) / "pictures"
        some_of(options.data, pictures, options.most)
        for name in options.recipes or preset_names():
            begun = time.monotonic()
            found = check(name, folder, options.data, pictures, options.steps)
            wrong += bool(found)
            print(f"{name:<28}{time.monotonic() - begun:>6.0f} s  {'; '.join(found) or 'as it should be'}", flush=True)
    print(f"{wrong} recipes are not as they should be" if wrong else "every recipe is as it should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
