"""The recipe: everything that decides a training run, as plain frozen data.

One section a concern; a field that chooses between alternatives is called `kind` and the alternatives are tagged
unions; those of data, networks and methods are in `data.py`, `networks.py` and `methods.py`. Nothing here imports torch
or touches a file. `load.py` reads recipes, `presets/` holds the built-in ones; the builders of each layer
(`networks.build_generator`, `image.codec.build_codec`, ...) turn sections into objects.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tintype.recipe.data import DataSpec, Direction
from tintype.recipe.enlarging import EnlargeCodec
from tintype.recipe.methods import CutSpec, CycleGanSpec, MethodSpec, Pix2PixSpec, UnitSpec
from tintype.recipe.networks import DiscriminatorSpec, GeneratorSpec, InputName, PatchGanSpec, UNetSpec
from tintype.recipe.rules_colour import check_colour_terms
from tintype.recipe.rules_encoders import check_damage, check_encoder
from tintype.recipe.rules_gan import check_gan
from tintype.recipe.rules_hints import check_hints
from tintype.recipe.rules_sr import check_enlarging, check_perceptual
from tintype.recipe.rules_stochastic import check_noise_in_use
from tintype.recipe.rules_unpaired import TWO_WAY, check_unpaired
from tintype.recipe.section import Section

Grey = Literal["lab", "rec601"]
BACK: dict[Direction, Direction] = {"ab": "ba", "ba": "ab"}
"""The way back of each direction."""


# --- codec -----------------------------------------------------------------------------------------------------------


class RgbCodec(Section):
    """Target is RGB in [-1, 1]; the source is RGB too, or grey."""

    kind: Literal["rgb"] = "rgb"
    source: Literal["grey", "grey3", "rgb"] = Field(
        "rgb", description="What the network sees; grey is one channel, grey3 the same three times."
    )
    grey: Grey = Field("rec601", description="How a colour picture is turned grey.")


class GrayCodec(Section):
    """One grey channel in, one out."""

    kind: Literal["gray"] = "gray"
    grey: Grey = Field("rec601", description="How a colour picture is turned grey.")
    unit_range: bool = Field(
        False,
        description="Model space is [0, 1] instead of [-1, 1], of which a tanh generator wastes half; for "
        "method.kind=gan only.",
    )


class LabCodec(Section):
    """L*/50 - 1 in, (a*, b*)/110 out; the luminance of the input is kept at full resolution."""

    kind: Literal["lab"] = "lab"
    grey: Grey = Field("lab", description="How a colour picture is turned grey.")
    chroma_size: int | None = Field(
        None, ge=2, description="Side in pixels of the predicted chroma for a crop of data.size; default: data.size."
    )


CodecSpec = Annotated[RgbCodec | GrayCodec | LabCodec | EnlargeCodec, Field(discriminator="kind")]


# --- optimiser, training, evaluation ---------------------------------------------------------------------------------


class DecaySpec(Section):
    """Linear fall of the learning rate between two fixed points, however long the run is."""

    start: int = Field(ge=0, description="Where the fall begins.")
    end: int = Field(ge=1, description="Where the rate reaches final * lr.")
    unit: Literal["steps", "epochs"] = Field("steps", description="What start and end count.")
    final: float = Field(0.0, ge=0, le=1, description="Fraction of lr that is left at the end and after it.")

    @model_validator(mode="after")
    def _in_order(self) -> DecaySpec:
        if self.end <= self.start:
            raise ValueError(f"decay.end ({self.end}) must lie after decay.start ({self.start})")
        return self


class OptimiserSpec(Section):
    """Adam (Kingma & Ba 2015), one for each phase, with decoupled weight decay where it is not 0 (AdamW)."""

    lr: float = Field(2e-4, gt=0, description="Learning rate of the generator.")
    discriminator_lr: float | None = Field(None, gt=0, description="Learning rate of the discriminator; default: lr.")
    encoder_lr: float | None = Field(
        None,
        ge=0,
        description="Learning rate of the generators' encoders; default: lr. 0: frozen, with the statistics of their "
        "batch norm.",
    )
    encoder_frozen_steps: int = Field(0, ge=0, description="Steps at the start in which the encoders are frozen.")
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = Field(
        (0.5, 0.999), description="Decay of the means of gradients and of their squares."
    )
    eps: float = Field(1e-8, gt=0, description="Added to the root of the mean square.")
    weight_decay: float = Field(0.0, ge=0, description="Decoupled from the gradient, of all networks.")
    decay: DecaySpec | None = Field(None, description="Default: the rate stays constant.")


class TrainingSpec(Section):
    """Length, batch, machine, and how often things happen."""

    steps: int | None = Field(None, ge=1, description="Length in batches; give steps or epochs.")
    epochs: float | None = Field(None, gt=0, description="Length in passes over the training pictures.")
    epoch_steps: int | None = Field(
        None, ge=1, description="Batches that count as one epoch; default: one pass over the data."
    )
    batch_size: int = Field(1, ge=1, le=4096, description="Pictures in a step, of all processes together.")
    seed: int = Field(0, ge=0, lt=2**63, description="Of weights, order, augmentation and dropout.")
    ema: float = Field(0.0, ge=0, lt=1, description="Decay of the generator's moving average; 0: off.")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="auto: the fastest that torch finds.")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="bf16: mixed; weights stay in fp32.")
    channels_last: bool = Field(True, description="Memory layout; on most devices faster.")
    recompute: bool = Field(
        False,
        description="Keep fewer activations of the generator and compute them again in the backward pass: with a "
        "residual one about a third of the memory, for a third more time; a U-Net gains less.",
    )
    log_every: int = Field(
        10, ge=1, description="Steps between lines of events.jsonl; each holds the mean since the last."
    )
    validate_every: int = Field(500, ge=1, description="Steps between scores on the validation pictures.")
    checkpoint_every: int = Field(500, ge=1, description="Steps between checkpoints.")
    sample_every: int | None = Field(None, ge=1, description="Steps between sample panels.")
    sample_steps: tuple[Annotated[int, Field(ge=1)], ...] = Field((), description="Further steps to draw panels at.")
    sample_epochs: tuple[Annotated[int, Field(ge=1)], ...] = Field((), description="Epochs after which to draw panels.")
    sample_count: int = Field(4, ge=1, le=32, description="Validation pictures in a panel.")
    tensorboard: bool = Field(False, description="Also write TensorBoard event files.")

    @model_validator(mode="after")
    def _one_length(self) -> TrainingSpec:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give the length as training.steps or as training.epochs, one of the two")
        return self


class InferenceSpec(Section):
    """How the finished model is used."""

    orientations: Literal[1, 2, 8] = Field(
        1,
        description="Mean over so many copies of a picture: 2 with its mirror image, 8 with all quarter turns.",
    )
    temperature: float = Field(
        1.0,
        ge=0,
        le=2,
        description="Factor on the noise of generator.noise=input: below 1 results lie closer together. Uncertainty is "
        "measured with the whole noise.",
    )
    boldness: float = Field(
        1.0,
        gt=0,
        le=10,
        description="Factor on the chroma that the network gives, which makes up what strength 1 is: networks that "
        "learn the median of what is possible are timid. Hints are shown to the network divided by it.",
    )
    batch_statistics: bool = Field(
        False, description="Batch normalisation by the picture at hand, not by what was learnt in training."
    )


class EvaluationSpec(Section):
    """How the result is judged."""

    best_by: Literal["psnr", "ssim", "ciede2000", "accuracy", "last"] | None = Field(
        None,
        description="Validation score that chooses the exported checkpoint; 'last' takes the final one. Default: psnr "
        "for methods that learn from pairs, accuracy for classifiers, last for the others, where a stage of L1 alone "
        "comes first, and with noise, whose spread no score of single results wants.",
    )
    size: int | None = Field(
        None, ge=16, description="Side in pixels of the centre crop that is scored; default: data.size."
    )
    features: Literal["caltech101", "fashion"] = Field(
        "caltech101", description="Classifier by whose features pictures that are made from noise are judged."
    )


class Recipe(Section):
    """A complete training run; see the module docstring."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", description="Lower case; also names the default run folder.")
    description: str = Field("", description="One sentence for people.")
    data: DataSpec
    codec: CodecSpec
    generator: GeneratorSpec = UNetSpec()
    discriminator: DiscriminatorSpec = PatchGanSpec()
    method: MethodSpec = Pix2PixSpec()
    optimiser: OptimiserSpec = OptimiserSpec()
    training: TrainingSpec
    inference: InferenceSpec = InferenceSpec()
    evaluation: EvaluationSpec = EvaluationSpec()

    @model_validator(mode="after")
    def _classifies_or_translates(self) -> Recipe:
        if self.method.kind == "gan":
            return self
        kinds = {"data": self.data.kind, "generator": self.generator.kind, "method": self.method.kind}
        classifying = {"data": "labelled", "generator": "classifier", "method": "classifier"}
        ours = [section for section, kind in classifying.items() if kinds[section] == kind]
        if ours and len(ours) < len(classifying):
            other = next(section for section in classifying if section not in ours)
            raise ValueError(
                f"{ours[0]}.kind={kinds[ours[0]]} needs {other}.kind={classifying[other]}, got {kinds[other]}: a "
                "classifier and a translation have no part in common"
            )
        if self.evaluation.best_by not in (None, "last") and (self.evaluation.best_by == "accuracy") != bool(ours):
            raise ValueError(
                f"evaluation.best_by={self.evaluation.best_by} is no score of method.kind={self.method.kind}: leave it "
                "out"
            )
        if ours and (self.codec.kind == "lab" or getattr(self.codec, "source", "rgb") != "rgb"):
            raise ValueError("a classifier looks at whole pictures: use codec.kind=rgb with codec.source=rgb, or gray")
        if self.method.kind == "classifier" and self.method.foreign_chroma and self.codec.kind == "gray":
            raise ValueError("method.foreign_chroma needs pictures in colour: use codec.kind=rgb, or leave it out")
        if ours and (self.inference != InferenceSpec() or self.evaluation.size not in (None, self.data.size)):
            raise ValueError(
                "inference.* and evaluation.size are for translations, a classifier has no use for them: leave them out"
            )
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Recipe:
        check_enlarging(self)
        check_perceptual(self)
        check_encoder(self)
        check_damage(self)
        check_hints(self)
        if self.method.kind == "gan":
            return self
        stride, generator = self.output_stride, self.generator
        if self.data.size % self.generator_multiple:
            what = "a residual generator" if generator.kind == "resnet" else f"generator.kind={generator.kind}"
            raise ValueError(
                f"data.size ({self.data.size}) must be a multiple of {self.generator_multiple} for "
                + (f"generator.levels={generator.levels}" if generator.kind == "unet" else what)
                + (" with bottleneck_blocks" if getattr(generator, "bottleneck_blocks", 0) else "")
            )
        if stride & (stride - 1) or stride * self.codec_chroma_size != self.data.size:
            raise ValueError(
                f"codec.chroma_size ({self.codec_chroma_size}) must be data.size ({self.data.size}) divided "
                "by a power of two"
            )
        if generator.kind == "unet" and stride >= 2**generator.levels:
            raise ValueError(
                f"codec.chroma_size ({self.codec_chroma_size}) leaves the decoder of {generator.levels} levels "
                "nothing to do: raise it"
            )
        if generator.kind not in ("unet", "encoder_unet") and stride > 1:
            raise ValueError(
                "codec.chroma_size below data.size needs generator.kind=unet or encoder_unet, whose decoder can stop "
                "early"
            )
        if self.inference.boldness != 1 and self.codec.kind != "lab":
            raise ValueError(
                f"inference.boldness is a factor on chroma, which codec.kind={self.codec.kind} does not predict: use "
                "codec.kind=lab, or leave it out"
            )
        if self.codec.kind == "lab" and self.data.kind != "colour":
            raise ValueError("codec.kind=lab needs data.kind=colour: its source is the luminance of the target")
        return self

    @model_validator(mode="after")
    def _makes_from_noise(self) -> Recipe:
        check_gan(self)
        check_noise_in_use(self)
        return self

    @model_validator(mode="after")
    def _method_fits(self) -> Recipe:
        method = self.method
        if getattr(self.data, "more", "") and not self.learns_from_pairs:
            raise ValueError(f"data.more has no effect with method.kind={method.kind}: put all pictures into data.path")
        if method.kind == "classifier" or method.kind == "gan":
            return self
        if isinstance(method, CycleGanSpec | CutSpec | UnitSpec):
            check_unpaired(self, method)
            return self
        if self.data.kind == "unpaired":
            raise ValueError(
                f"method.kind={method.kind} needs pairs, data.kind=unpaired has none: use cyclegan, cut or unit"
            )
        if method.vividness > 0 and self.codec.kind != "lab":
            raise ValueError(
                f"method.vividness weighs pixels by chroma, which codec.kind={self.codec.kind} does not predict: "
                "use codec.kind=lab, or method.vividness=0"
            )
        check_colour_terms(self)
        return self

    @property
    def best_by(self) -> Literal["psnr", "ssim", "ciede2000", "accuracy", "last"]:
        """Validation score that chooses the exported checkpoint, or "last"."""
        if self.evaluation.best_by:
            return self.evaluation.best_by
        match self.method.kind:
            case "pix2pix" | "regression":
                staged = self.method.kind == "pix2pix" and self.method.begins_with_l1
                return "last" if staged or "noise" in self.inputs else "psnr"
            case "cyclegan" | "cut" | "unit" | "gan":
                return "last"
            case "classifier":
                return "accuracy"

    @property
    def learns_from_pairs(self) -> bool:
        """Whether the method sees each source with its target."""
        return self.method.kind in ("pix2pix", "regression")

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions that are trained; a method of two names its files by them."""
        return ("ab", "ba") if self.method.kind in TWO_WAY else ("ab",)

    @property
    def takes_hints(self) -> bool:
        """Whether the network may be told chroma at some places."""
        return self.data.kind == "colour" and self.data.hints.any

    @property
    def inputs(self) -> tuple[InputName, ...]:
        """What the network that is shipped takes, in the order of its arguments."""
        return (*self.generator.inputs, "hints") if self.takes_hints else self.generator.inputs

    def inputs_of(self, direction: Direction) -> tuple[InputName, ...]:
        """The same of one of two directions: the way back has no noise, since one target has one source."""
        return tuple(name for name in self.inputs if name != "noise" or direction == "ab")

    @property
    def generator_multiple(self) -> int:
        """Number of pixels that both sides of a network input must be a multiple of."""
        return self.generator.multiple_of

    @property
    def codec_chroma_size(self) -> int:
        """Side in pixels of the network's output for an input of `data.size`."""
        return (self.codec.chroma_size if self.codec.kind == "lab" else None) or self.data.size

    @property
    def output_stride(self) -> int:
        """Input pixels for each output pixel of the generator."""
        return max(1, self.data.size // self.codec_chroma_size)

    @property
    def enlargement(self) -> int:
        """Output pixels for each input pixel of the generator, in width and in height."""
        return self.codec.scale if self.codec.kind == "enlarge" else 1

    @property
    def frames(self) -> int:
        """Pictures in what is made: more than one of a clip."""
        motion = getattr(self.data, "motion", None)
        return motion.frames if motion else 1

    @property
    def digest(self) -> str:
        """Short hash of the resolved recipe, for provenance."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
