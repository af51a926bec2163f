"""The sections of a recipe that describe pictures: where they lie, how they are divided, cut and varied."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tintype.recipe.section import Section

Direction = Literal["ab", "ba"]


class AugmentSpec(Section):
    """Random changes of a training sample; source and target always get the same one."""

    flip: bool = Field(True, description="Mirror left and right with probability 1/2.")
    flip_vertical: bool = Field(False, description="Mirror top and bottom with probability 1/2.")
    quarter_turns: bool = Field(False, description="Rotate by a random multiple of 90 degrees.")
    angle: float = Field(0.0, ge=0, le=180, description="Rotate by a random angle up to this many degrees either way.")
    zoom: float = Field(1.0, ge=1, le=4, description="Enlarge by a random factor between 1 and this one.")

    @property
    def still(self) -> bool:
        """Whether nothing is changed at random."""
        return not (self.flip or self.flip_vertical or self.quarter_turns or self.angle) and self.zoom == 1


class SplitSpec(Section):
    """Fractions of the pictures that are kept from training; ignored where folders name the splits."""

    validation: float = Field(0.15, ge=0, lt=1, description="Fraction that chooses the checkpoint and the strength.")
    test: float = Field(0.2, ge=0, lt=1, description="Fraction that is scored at the end and chooses nothing.")
    near_duplicates: int = Field(
        8,
        ge=0,
        le=32,
        description="Pictures stay together whose perceptual hashes differ in at most this many of every 64 bits.",
    )
    folds: int = Field(
        1, ge=1, le=100, description="Equal parts of a cross-validation, one of which is tested in place of `test`."
    )
    fold: int = Field(0, ge=0, description="Which of the parts, from 0.")

    @model_validator(mode="after")
    def _leaves_something_to_train(self) -> SplitSpec:
        held_out = self.validation + (self.test if self.folds == 1 else 1 / self.folds)
        if held_out >= 1:
            raise ValueError("validation + test must be below 1, or nothing is left to train on")
        if self.fold >= self.folds:
            raise ValueError(f"fold ({self.fold}) must be below folds ({self.folds}); the first one is 0")
        return self


class _DataBase(Section):
    path: str = Field(
        "", description="Folder or .npz file of pictures, or 'bundled:hubble' for the set that comes with Tintype."
    )
    size: int = Field(256, ge=16, le=4096, description="Side in pixels of a training crop; model size in use.")
    load_size: int | None = Field(
        None,
        ge=8,
        le=8192,
        description="Shorter side in pixels that pictures are reduced to before cropping; default: size.",
    )
    augment: AugmentSpec = AugmentSpec()
    split: SplitSpec = SplitSpec()

    @model_validator(mode="after")
    def _crop_fits(self) -> _DataBase:
        if self.load_size is not None and self.load_size < self.window:
            what = "size" if self.window == self.size else "motion.side"
            raise ValueError(f"load_size ({self.load_size}) must be at least {what} ({self.window})")
        return self

    @property
    def window(self) -> int:
        """Side in pixels of what is cut from a picture: all of a training crop, or what moves about in it."""
        motion = getattr(self, "motion", None)
        return motion.side if motion else self.size

    @property
    def shorter_side(self) -> int:
        """Shorter side in pixels of the cached pictures."""
        return self.load_size or self.window


class DamageSpec(Section):
    """What a source loses before a network sees it, so that a network can learn to restore it."""

    mask: float = Field(0.0, ge=0, lt=1, description="Share of square patches that are replaced by mid-grey.")
    patch: int = Field(8, ge=1, le=4096, description="Their side in pixels.")
    noise: float = Field(0.0, ge=0, le=1, description="Standard deviation of noise, where 1 is from black to white.")

    @property
    def any(self) -> bool:
        """Whether anything is lost."""
        return self.mask > 0 or self.noise > 0


class HintsSpec(Section):
    """Chroma that the network is told at random places, so that it can be told in use (after Zhang et al. 2017)."""

    mean: float = Field(
        0.0,
        ge=0,
        le=100,
        description="Mean number of revealed squares in a sample that has any; 0: the network has no hints.",
    )
    none: float = Field(0.3, ge=0, le=1, description="Share of samples of which nothing is revealed.")
    whole: float = Field(0.01, ge=0, le=1, description="Share of samples of which all chroma is revealed.")
    largest: int = Field(
        9, ge=1, le=64, description="Largest side in pixels of a square; sides from 1 on are equally likely."
    )

    @model_validator(mode="after")
    def _leaves_some_to_draw(self) -> HintsSpec:
        if 0 < self.mean < 1:
            raise ValueError(f"mean ({self.mean:g}) must be at least 1, the fewest that are any; or 0 for no hints")
        if self.none + self.whole > 1:
            raise ValueError(f"none ({self.none:g}) and whole ({self.whole:g}) are shares, together at most 1")
        return self

    @property
    def any(self) -> bool:
        """Whether the network is told anything."""
        return self.mean > 0


class ColourData(_DataBase):
    """A folder of pictures; the source is made of each on the fly: grey as `codec.grey` says, or damaged, or both."""

    kind: Literal["colour"] = "colour"
    more: str = Field(
        "",
        description="Folder or .npz file of further colour pictures that are trained on beside those of path, and "
        "never held out. Copies of held-out pictures among them are passed over.",
    )
    more_share: float = Field(0.5, gt=0, lt=1, description="Part of each batch that is taken from `more`.")
    subject: Literal["none", "folder"] = Field(
        "none",
        description="What is in a picture, for method.classes: nobody says, or the folder that it lies in. It changes "
        "nothing about the split, and is not known of pictures in no folder and of those of `more`.",
    )
    damage: DamageSpec = DamageSpec()
    hints: HintsSpec = HintsSpec()


class FoldersData(_DataBase):
    """Two folders whose pictures are paired by name: PATH/A and PATH/B, or `path` and `path_b`."""

    kind: Literal["folders"] = "folders"
    path_b: str = Field("", description="Folder of the second domain; empty: PATH/A and PATH/B.")
    direction: Direction = Field("ab", description="Which domain is the source.")


class SideBySideData(_DataBase):
    """Files that hold A in their left and B in their right half, in train/ val/ test/ or in one folder."""

    kind: Literal["side_by_side"] = "side_by_side"
    direction: Direction = Field("ab", description="Which half is the source.")


class UnpairedData(_DataBase):
    """Two domains without partners: PATH/trainA, trainB, testA, ...; PATH/A and B; one .npz; or `path` and `path_b`."""

    kind: Literal["unpaired"] = "unpaired"
    path_b: str = Field("", description="Folder or .npz of the second domain; empty: both lie in `path`.")


class MotionSpec(Section):
    """Clips made of pictures: each goes straight on over black, and is thrown back by the borders (Srivastava 2015)."""

    frames: int = Field(8, ge=2, le=64, description="Pictures in a clip.")
    side: int = Field(20, ge=8, le=4096, description="Side in pixels that a picture has in frames of data.size.")
    speed: float = Field(2.0, ge=0, le=64, description="Pixels a frame; the direction is drawn for each clip.")


class LabelledData(_DataBase):
    """A folder of pictures of several classes, which the names of folders or files say, or of idx files with labels."""

    kind: Literal["labelled"] = "labelled"
    label: Literal["folder", "name"] = Field(
        "folder", description="The class: the folder that a picture lies in, or its file's name up to the last '_'."
    )
    class_names: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = Field(
        (), description="What the classes are called, in the order of their names in the set; default: these."
    )
    motion: MotionSpec | None = Field(None, description="Make a clip of each picture; default: none.")

    @model_validator(mode="after")
    def _has_room_to_move(self) -> LabelledData:
        if self.motion and self.motion.side >= self.size:
            raise ValueError(f"motion.side ({self.motion.side}) must be below size ({self.size}), or nothing can move")
        return self


DataSpec = Annotated[
    ColourData | FoldersData | SideBySideData | UnpairedData | LabelledData, Field(discriminator="kind")
]
