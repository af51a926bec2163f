"""Terms of a loss that are measured on the finished picture, for networks that predict chroma.

A colouriser that is asked for less error alone becomes timid: grey is the safest guess. Scaling its chroma afterwards
makes every picture bolder alike. Here the share of colour is part of what is asked, so the network spends it where it
costs least: on pictures that are far off anyway, and on differences within a picture rather than on a cast over all.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tintype.image.codec import LabSpace
from tintype.image.color import lab_to_rgb
from tintype.methods.method import Batch
from tintype.recipe.methods import Pix2PixSpec

DISPLAY_FLOOR = 3e-4
"""Mean squared error of display space below which a picture counts as right: 35 dB."""
LEAST_COLOUR = 0.1
"""Mean colourfulness that a truth counts as at least: a share of hardly any colour would outweigh all else."""
_TINY = 1e-8  # a root has no slope at 0


class DisplayTerms:
    """`g/display` and `g/colourfulness` of a batch whose targets are chroma.

    The share of colour is that of the pictures of a batch together, in each process by itself, but for those of which
    hints tell some colours; and of what the network says, before `inference.boldness`. Colours that sRGB does not have
    are clipped channel by channel here, while a codec keeps their luminance.

    Args:
        codec: What source and target are encoded by.
        spec: Which terms there are, and how heavy.
    """

    def __init__(self, codec: LabSpace, spec: Pix2PixSpec) -> None:
        self._codec, self._spec = codec, spec

    def loss(self, batch: Batch, output: Tensor) -> dict[str, Tensor]:
        """The terms, weights applied; those that weigh nothing are left out.

        Args:
            batch: Luminance `n 1 h w`, chroma `n 2 h/stride w/stride`.
            output: Chroma in model space, as the target.
        """
        spec, terms = self._spec, {}
        source = batch.source_at(self._codec.stride)
        made, truth = (display(self._codec, source, chroma) for chroma in (output, batch.target))
        if spec.lambda_display > 0:
            error = (made - truth).square().mean(dim=(1, 2, 3))
            terms["g/display"] = spec.lambda_display * (error + DISPLAY_FLOOR).log().mean()
        if spec.colourfulness > 0:
            guessed = torch.ones(len(made), device=made.device)
            if batch.hints is not None:  # where colours are told, being colourful is easy
                guessed = 1 - batch.hints[:, 2].amax(dim=(1, 2)).float()
            count = guessed.sum().clamp(min=1)
            ours, theirs = ((colourfulness(shown) * guessed).sum() / count for shown in (made, truth))
            distance = (ours - spec.colourfulness * theirs) / theirs.clamp(min=LEAST_COLOUR)
            terms["g/colourfulness"] = spec.lambda_colourfulness * distance.square()
        return terms


def display(codec: LabSpace, source: Tensor, chroma: Tensor) -> Tensor:
    """Encoded luminance `n 1 h w` and chroma `n 2 h w` as display colours `n 3 h w`, clipped to [0, 1]."""
    lab = torch.cat([codec.shown_lightness(source.float()), codec.chroma(chroma.float())], dim=1)
    return lab_to_rgb(lab).clamp(0, 1)


def colourfulness(pictures: Tensor) -> Tensor:
    """Colourfulness M of display pictures `n 3 h w` (Hasler & Suesstrunk 2003) on a scale of 0 to 1: `n`."""
    red, green, blue = pictures.unbind(dim=1)
    opponents = torch.stack([red - green, (red + green) / 2 - blue], dim=1).flatten(2)
    spread = opponents.var(dim=2, correction=0).sum(dim=1)
    return (spread + _TINY).sqrt() + 0.3 * (opponents.mean(dim=2).square().sum(dim=1) + _TINY).sqrt()
