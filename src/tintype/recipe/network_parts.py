"""What sections of several networks have in common: normalisation, inputs, and how weights start."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tintype.recipe.section import Section

Norm = Literal["batch", "instance", "none"]
InputName = Literal["source", "noise", "label", "hints"]
"""What a network may take: a picture in model space, a standard normal vector, the number of a class, and known chroma
at some of the picture's places; in this order."""

SPECTRAL_NORM = "Divide the weights of every layer by their spectral norm (Miyato et al. 2018)."


class InitSpec(Section):
    """How convolution weights start; biases start at 0, normalisation gains at normal(1, 0.02)."""

    kind: Literal["normal", "xavier", "kaiming", "orthogonal"] = Field("normal", description="Distribution.")
    gain: float = Field(
        0.02, gt=0, description="Standard deviation (normal) or gain (xavier, orthogonal); kaiming ignores it."
    )
