"""One picture through a model, beside its truth, the trivial baselines and other models: all figures of it.

What is measured is what is shipped: every picture goes through the `Translator`, as it does on the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tintype.image.codec import on_picture
from tintype.image.color import lab_to_display
from tintype.metrics.baselines import (
    BICUBIC,
    BaselineConstants,
    colouring_baselines,
    enlarging_baselines,
    translation_baselines,
)
from tintype.metrics.colour import ciede2000, colourfulness, lab_of, mean_chroma
from tintype.metrics.features import FeatureNetwork
from tintype.metrics.fidelity import psnr, ssim
from tintype.metrics.measures import Measure
from tintype.metrics.nearest import NearestPicture
from tintype.metrics.scores import FACTOR_ON_PREDICTED, FACTOR_ON_REDRAWN, Figures, PictureScores
from tintype.metrics.summary import COLOURED_THRESHOLD, DIAL, Judged

if TYPE_CHECKING:
    from tintype.inference.translator import Prediction, Translator


class PicturePair(Protocol):
    """A pair to judge on: source `h w 1|3` and target `h w 3`, display floats in [0, 1].

    Both are of equal height and width, unless the task is to enlarge.
    """

    @property
    def name(self) -> str:
        """Unique among the pictures that are judged together."""
        ...

    @property
    def source(self) -> np.ndarray:
        """What the model gets."""
        ...

    @property
    def target(self) -> np.ndarray:
        """The truth."""
        ...


@dataclass(frozen=True, slots=True)
class Rivals:
    """What a model is judged beside.

    Attributes:
        constants: Of its training set; None leaves out the baselines that need them.
        nearest: Finds the training picture that is most like another; None leaves that baseline out.
        runs: Other models by the name of their row; each is judged at strength 1.
    """

    constants: BaselineConstants | None = None
    nearest: NearestPicture | None = None
    runs: Mapping[str, Translator] = field(default_factory=dict)


class Task:
    """The translator together with what its codec says about how its pictures are judged.

    Args:
        translator: The model.
        network: Gives the features that realism is judged by; None leaves them out.
        measures: Further figures of an output and its truth, by name.
    """

    def __init__(
        self,
        translator: Translator,
        network: FeatureNetwork | None = None,
        measures: Mapping[str, Measure] = MappingProxyType({}),
    ) -> None:
        self.translator, self.codec = translator, translator.codec
        self._network, self._measures = network, measures
        self.colourises = translator.codec.colourises
        self.reference = "grey copy" if self.colourises else BICUBIC if self.codec.scale > 1 else "identity"
        meaning = FACTOR_ON_PREDICTED if self.codec.predicts_chroma else FACTOR_ON_REDRAWN
        self.strength = meaning if self.colourises else None

    def score(
        self,
        picture: PicturePair,
        rivals: Rivals,
        models: Mapping[str, float],
        dial_strengths: Sequence[float] = DIAL,
    ) -> Judged:
        """All figures of one picture; `models` are strengths by name of the row."""
        prediction = self.translator.predict(picture.source)
        target = self.shown(picture.target)
        rendered = {strength: self.shown(prediction.render(strength)) for strength in models.values()}
        outputs = {name: rendered[strength] for name, strength in models.items()}
        outputs |= {name: self.shown(output) for name, output in self._baselines(picture, rivals).items()}
        outputs |= {name: self.shown(run.predict(picture.source).render()) for name, run in rivals.runs.items()}
        chroma = mean_chroma(target)
        coloured = chroma >= COLOURED_THRESHOLD
        figures = {
            name: Figures(
                psnr=psnr(output, target),
                ssim=ssim(output, target),
                ciede2000=ciede2000(output, target),
                colourfulness=colourfulness(output),
                more={title: measure(output, target) for title, measure in self._measures.items()},
            )
            for name, output in outputs.items()
        }
        dial: list[tuple[float, float]] = []
        if self.colourises and coloured:
            turned = self._turned(prediction, rendered, dial_strengths)
            dial = [(psnr(output, target), colourfulness(output)) for output in turned]
        truth, features = None, {}
        if self._network is not None and (coloured or not self.colourises):
            # float32, so that those of many pictures fit into memory
            truth, *vectors = self._network(np.stack([target, *outputs.values()])).astype(np.float32)
            features = dict(zip(outputs, vectors, strict=True))
        return Judged(
            picture=PictureScores(picture.name, coloured, chroma, colourfulness(target), figures),
            invented_chroma=None if coloured else mean_chroma(next(iter(outputs.values()))),
            dial=tuple(dial),
            features=features,
            truth=truth,
        )

    def _turned(
        self, prediction: Prediction, rendered: Mapping[float, np.ndarray], strengths: Sequence[float]
    ) -> Iterator[np.ndarray]:
        """The picture `h w 3` at each strength of colour.

        Where the network redraws the picture, the chroma of what it drew is scaled and its luminance stays. So at 0 its
        own grey remains, not that of the source.
        """
        if self.codec.predicts_chroma:
            yield from (rendered[s] if s in rendered else prediction.render(s) for s in strengths)
        elif strengths:
            lightness, a, b = lab_of(rendered[1.0]).astype(np.float32)
            for s in strengths:
                lab = np.stack([lightness, s * a, s * b])
                yield rendered[s] if s in rendered else np.moveaxis(lab_to_display(lab), 0, -1)

    def _baselines(self, picture: PicturePair, rivals: Rivals) -> dict[str, np.ndarray]:
        source = on_picture(self.codec.source_from, picture.source)
        if self.codec.scale > 1:
            return enlarging_baselines(source, self.codec.scale)
        nearest = None if rivals.nearest is None else rivals.nearest(source)
        if self.colourises:
            return colouring_baselines(source[..., :1], rivals.constants, nearest)
        made = translation_baselines(self.shown(source), rivals.constants, nearest)
        if self.codec.turns_grey:
            made["grey copy"] = on_picture(self.codec.target_from, source)
        return made

    def shown(self, picture: np.ndarray) -> np.ndarray:
        """Three channels of an output or target; all alike in tasks that make grey pictures."""
        if self.codec.target_channels == 1:
            picture = on_picture(self.codec.target_from, picture)
        return picture if picture.shape[-1] == 3 else picture.repeat(3, axis=-1)
