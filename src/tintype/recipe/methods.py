"""The sections of a recipe that describe methods: which losses, and how heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from tintype.recipe.section import Section

CALTECH101 = "caltech101"
"""The network of a perceptual term that comes with Tintype."""

Adversarial = Literal["vanilla", "lsgan", "hinge", "margin"]

ADVERSARIAL = "Cross-entropy from logits, least squares, hinge, or the margin loss of capsules."
INIT_FROM = (
    "Run folder or .safetensors file whose weights the generators start with; bundled or bundled:NAME for a model that "
    "comes with Tintype."
)

VIVIDNESS = (
    "How much more coloured pixels weigh in the L1 term: 1 + vividness x chroma/110, over its mean in the batch; "
    "0: all alike. Needs codec.kind=lab."
)


COLOURFULNESS = (
    "Share of the truth's colourfulness (Hasler & Suesstrunk 2003) that the results of a batch are to have together, "
    "but for those with hints; it is spent where it costs the other terms least. 0: whatever these lead to. Needs "
    "codec.kind=lab."
)

LAMBDA_LATENT = (
    "Weight of the mean absolute error of the noise z that an encoder tells from the result, so that z stays in use "
    "(Zhu et al. 2017b); 0: no encoder. Needs generator.noise=input."
)


TEACHER = (
    "Finished run, .safetensors file or bundled whose model this one learns from beside the truth; of the same codec, "
    "data.size and inputs. A run goes on with the same one only."
)
LAMBDA_TEACHER = "Weight of the mean absolute error to the teacher's output in model space."


class Pix2PixSpec(Section):
    """Paired translation: conditional adversarial loss + lambda L1 (Isola et al. 2017)."""

    kind: Literal["pix2pix"] = "pix2pix"
    init_from: str = Field("", description=INIT_FROM)
    adversarial: Adversarial = Field("vanilla", description=ADVERSARIAL)
    lambda_adversarial: float = Field(
        1.0, ge=0, description="Weight of the generator's adversarial term; 0: no discriminator."
    )
    lambda_l1: float = Field(100.0, ge=0, description="Weight of the mean absolute error in model space.")
    lambda_l2: float = Field(0.0, ge=0, description="Weight of the mean squared error in model space.")
    lambda_log: float = Field(
        0.0,
        ge=0,
        description="Weight of the mean, over pictures, of the logarithm of their mean squared error in model space: "
        "what a mean of PSNR measures.",
    )
    lambda_display: float = Field(
        0.0,
        ge=0,
        description="The same logarithm of the error in display space, where PSNR is measured. Needs codec.kind=lab.",
    )
    colourfulness: float = Field(0.0, ge=0, le=2, description=COLOURFULNESS)
    lambda_colourfulness: float = Field(
        5.0, gt=0, description="Weight of the squared distance to that share; heavy enough to reach it nearly."
    )
    classes: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Classes that the generator's encoder learns to tell beside, which data.subject gives, so that it "
        "sees what is in a picture (after Iizuka et al. 2016); 0: none. Needs generator.kind=unet.",
    )
    lambda_class: float = Field(10.0, gt=0, description="Weight of the cross-entropy of these classes.")
    lambda_perceptual: float = Field(
        0.0,
        ge=0,
        description="Weight of how far features of the output lie from those of the target, relative to these (Johnson "
        "et al. 2016). Needs a target in colour.",
    )
    perceptual: str = Field(
        CALTECH101,
        description="Whose features: caltech101, the classifier that comes with Tintype, or a file of torch with the "
        "weights of VGG16 or VGG19 as torchvision names them.",
    )
    conditional: bool = Field(True, description="The discriminator sees the source beside the target.")
    lambda_discriminator: float = Field(
        0.5, gt=0, description="Weight of each of the discriminator's two terms: 0.5 is their mean, 1 their sum."
    )
    vividness: float = Field(0.0, ge=0, le=1000, description=VIVIDNESS)
    l1_steps: int = Field(
        0,
        ge=0,
        description="Steps at the start with L1 (and what else compares with the truth) alone, before the "
        "discriminator, its term and the perceptual one join.",
    )
    l1_epochs: float = Field(0.0, ge=0, description="The same in passes over the training pictures; give one of them.")
    candidates: int = Field(
        1,
        ge=1,
        le=64,
        description="Noise vectors drawn for each source; the one whose result is nearest to the truth learns, so that "
        "together they cover what is possible (Li et al. 2020). Above 1 it needs generator.noise=input.",
    )
    lambda_latent: float = Field(0.0, ge=0, description=LAMBDA_LATENT)

    teacher: str = Field("", description=TEACHER)
    lambda_teacher: float = Field(100.0, ge=0, description=LAMBDA_TEACHER)

    @model_validator(mode="after")
    def _has_a_loss(self) -> Pix2PixSpec:
        pixels = self.lambda_l1, self.lambda_l2, self.lambda_log, self.lambda_display
        if not any((self.lambda_adversarial, self.lambda_perceptual, *pixels)):
            raise ValueError(
                "lambda_adversarial and lambda_l1 are both 0: the generator would have nothing to learn from"
            )
        if self.l1_steps and self.l1_epochs:
            raise ValueError("give the stage of L1 alone as l1_steps or as l1_epochs, one of the two")
        if self.begins_with_l1 and not any(pixels):
            raise ValueError("lambda_l1 is 0: the stage of L1 alone would have nothing to learn from")
        return self

    @property
    def measures_display(self) -> bool:
        """Whether a term looks at the finished picture."""
        return self.lambda_display > 0 or self.colourfulness > 0

    @property
    def begins_with_l1(self) -> bool:
        """Whether there is a stage of L1 alone."""
        return self.l1_steps > 0 or self.l1_epochs > 0


class RegressionSpec(Section):
    """Paired translation by L1 alone, without a discriminator: what an adversarial term is to be measured against."""

    kind: Literal["regression"] = "regression"
    init_from: str = Field("", description=INIT_FROM)
    lambda_l1: float = Field(100.0, gt=0, description="Weight of the mean absolute error in model space.")
    vividness: float = Field(0.0, ge=0, le=1000, description=VIVIDNESS)
    teacher: str = Field("", description=TEACHER)
    lambda_teacher: float = Field(100.0, ge=0, description=LAMBDA_TEACHER)


class CycleGanSpec(Section):
    """Unpaired translation, both ways at once: adversarial + cycle + identity losses (Zhu et al. 2017)."""

    kind: Literal["cyclegan"] = "cyclegan"
    init_from: str = Field("", description=INIT_FROM)
    adversarial: Adversarial = Field("lsgan", description=ADVERSARIAL)
    lambda_adversarial: float = Field(1.0, gt=0, description="Weight of each generator's adversarial term.")
    lambda_cycle: float = Field(10.0, ge=0, description="Weight of the mean absolute error of A -> B -> A.")
    lambda_cycle_b: float | None = Field(None, ge=0, description="That of B -> A -> B; default: lambda_cycle.")
    lambda_identity: float = Field(
        5.0, ge=0, description="Weight of how much each generator changes pictures of its own target domain; 0: off."
    )
    lambda_discriminator: float = Field(
        0.5, gt=0, description="Weight of each of a discriminator's two terms: 0.5 is their mean, 1 their sum."
    )
    lambda_latent: float = Field(0.0, ge=0, description=LAMBDA_LATENT)
    pool: int = Field(
        50,
        ge=0,
        le=10_000,
        description="Earlier generated pictures that a discriminator is shown too (Shrivastava et al. 2017); 0: off.",
    )
    gradient_penalty: float = Field(
        0.0,
        ge=0,
        description="Weight of the squared gradient of a discriminator's summed logits at real pictures (Mescheder et "
        "al. 2018).",
    )
    penalty_every: int = Field(
        16, ge=1, description="Steps between gradient penalties, each so many times as heavy (Karras et al. 2020)."
    )


class CutSpec(Section):
    """Unpaired translation, one way: adversarial + patch-wise contrastive losses, one generator (Park et al. 2020)."""

    kind: Literal["cut"] = "cut"
    init_from: str = Field("", description=INIT_FROM)
    adversarial: Adversarial = Field("lsgan", description=ADVERSARIAL)
    lambda_adversarial: float = Field(1.0, gt=0, description="Weight of the generator's adversarial term.")
    lambda_nce: float = Field(1.0, gt=0, description="Weight of the contrastive term of translations; FastCUT: 10.")
    lambda_identity: float = Field(
        1.0,
        ge=0,
        description="Weight of the contrastive term of what the generator makes of pictures of the target domain; 0: "
        "off, as in FastCUT.",
    )
    lambda_discriminator: float = Field(
        0.5, gt=0, description="Weight of each of the discriminator's two terms: 0.5 is their mean, 1 their sum."
    )
    temperature: float = Field(0.07, gt=0, description="By which cosines are divided.")
    places: int = Field(256, ge=2, le=4096, description="Places of a picture that are compared, on each map.")
    projection: int = Field(256, ge=1, le=4096, description="Length of the vectors that are compared.")


class UnitSpec(Section):
    """Unpaired translation, both ways: variational autoencoders with codes in common (Liu et al. 2017)."""

    kind: Literal["unit"] = "unit"
    init_from: str = Field("", description=INIT_FROM)
    adversarial: Adversarial = Field("vanilla", description=ADVERSARIAL)
    lambda_adversarial: float = Field(10.0, gt=0, description="Weight of each generator's adversarial term.")
    lambda_reconstruction: float = Field(
        100.0, gt=0, description="Weight of the mean absolute error of a picture by way of its own code."
    )
    lambda_kl: float = Field(0.1, ge=0, description="Weight of how far codes of pictures are from standard normal.")
    lambda_cycle: float = Field(100.0, ge=0, description="Weight of the mean absolute error of A -> B -> A.")
    lambda_cycle_kl: float = Field(
        0.1, ge=0, description="Weight of how far codes on the way there and back are from standard normal."
    )
    lambda_discriminator: float = Field(
        0.5, gt=0, description="Weight of each of a discriminator's two terms: 0.5 is their mean, 1 their sum."
    )
    shared_blocks: int = Field(
        1, ge=1, le=16, description="Last residual blocks of both encoders, and first ones of both decoders, in common."
    )


class ClassifierSpec(Section):
    """Telling classes of pictures apart: cross-entropy of the labels that `data.kind=labelled` gives."""

    kind: Literal["classifier"] = "classifier"
    init_from: str = Field("", description="Run folder or .safetensors file whose weights the network starts with.")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Part of each label that is spread over all classes (Szegedy et al. 2016)."
    )
    foreign_chroma: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="Part of each batch that is shown with the chroma of another picture; a second linear layer learns "
        "to tell, so that the features say whether colours are in their places.",
    )


class GanSpec(Section):
    """Pictures from noise: a generator against a discriminator (Goodfellow et al. 2014), with or without classes.

    As it stands the discriminator is held still while the generator learns, and takes one step an iteration on real and
    generated pictures together.
    """

    kind: Literal["gan"] = "gan"
    init_from: str = Field("", description="Run folder or .safetensors file whose weights the generator starts with.")
    adversarial: Adversarial = Field("vanilla", description=ADVERSARIAL)
    labels: Literal["none", "projection", "auxiliary"] = Field(
        "none",
        description="How the discriminator uses classes: told them, by projection (Miyato & Koyama 2018), or telling "
        "them, by an auxiliary classifier (Odena et al. 2017); generator.classes must be set with either.",
    )
    lambda_class: float = Field(1.0, gt=0, description="Weight of the auxiliary classifier's cross-entropy.")
    lambda_discriminator: float = Field(
        0.5, gt=0, description="Weight of each of the discriminator's two terms: 0.5 is their mean, 1 their sum."
    )
    gradient_penalty: float = Field(
        0.0,
        ge=0,
        description="Weight of the squared gradient of the discriminator's logits at real pictures (Mescheder et al. "
        "2018).",
    )
    penalty_every: int = Field(
        16, ge=1, description="Steps between gradient penalties, each so many times as heavy (Karras et al. 2020)."
    )
    fresh_noise: bool = Field(
        False, description="New noise for the generator's step, in place of that which the discriminator just judged."
    )
    separate_updates: bool = Field(
        False, description="A discriminator's step on real pictures and then one on generated ones, instead of one."
    )
    freeze_discriminator: bool = Field(
        True,
        description="Hold the discriminator still in the generator's step; without, that step also trains it to call "
        "generated pictures real.",
    )


def _method_kind(section: object) -> str | None:
    """The kind of a method section: pix2pix where a recipe leaves it out."""
    kind = section.get("kind", "pix2pix") if isinstance(section, dict) else getattr(section, "kind", None)
    return kind if isinstance(kind, str) else None


MethodSpec = Annotated[
    Annotated[Pix2PixSpec, Tag("pix2pix")]
    | Annotated[RegressionSpec, Tag("regression")]
    | Annotated[CycleGanSpec, Tag("cyclegan")]
    | Annotated[CutSpec, Tag("cut")]
    | Annotated[UnitSpec, Tag("unit")]
    | Annotated[ClassifierSpec, Tag("classifier")]
    | Annotated[GanSpec, Tag("gan")],
    Discriminator(_method_kind),
]
