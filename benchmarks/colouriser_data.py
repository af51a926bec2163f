"""Lay out the pictures that the bundled colourisers learn from, so that nobody can mix up what is set apart.

    python benchmarks/colouriser_data.py DATA OUT

DATA holds the folders `flowers`, `caltech101` and `hubble`. OUT gets `train/`, `val/` and `test/`: a folder for each
set, and in that of Caltech-101 one for each of its classes, which `tintype train photos-colour-base data.path=OUT`
takes as they are. Which picture goes where follows from its content, and copies stay together: 200 flowers and 500 of
Caltech-101 are set apart to be judged at the end, fewer to choose the checkpoint; of Hubble's pictures those are
trained on that the Hubble colouriser trains on too.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from tintype.data.dataset import open_data
from tintype.recipe import load_recipe

SET_APART = {"flowers": (200, 100), "caltech101": (500, 150)}


def main(data: Path, out: Path) -> None:
    """Copy every picture to its place."""
    for name, (test, validation) in SET_APART.items():
        recipe = load_recipe("flowers-lab", [f"data.path={data / name}"])
        pictures = open_data(recipe)
        group_of = {member: group[0] for group in pictures.split.groups for member in group}
        known = pictures.files()
        groups: dict[str, list[str]] = {}
        for picture in known:
            groups.setdefault(group_of.get(picture, picture), []).append(picture)
        order = sorted(
            groups.values(), key=lambda group: min(hashlib.sha256(known[one].encode()).hexdigest() for one in group)
        )
        left = {"test": test, "val": validation}
        for group in order:
            side = next((side for side, wanted in left.items() if len(group) <= wanted), "train")
            if side != "train":
                left[side] -= len(group)
            for picture in group:
                place(data / name / picture, out / side / name / subject_of(picture) / picture)
    split = open_data(load_recipe("hubble-lab", [f"data.path={data / 'hubble'}"])).split
    for picture in split.train:
        place(data / "hubble" / picture, out / "train" / "hubble" / picture)


def subject_of(picture: str) -> str:
    """The folder of what is in a picture: of Caltech-101 the class, as in `dalmatian_image_0001.jpg`."""
    return Path(picture).name.rpartition("_image_")[0]


def place(source: Path, target: Path) -> None:
    """Copy a file, making folders on the way."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
