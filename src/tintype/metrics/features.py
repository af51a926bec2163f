"""Networks that turn pictures into features, for KID and Frechet distances; which one is decided by name.

    caltech101   a small classifier that this project trained and ships; needs no download and no torch
    fashion      another one, of Fashion-MNIST
    inception    the Inception-v3 of 2015 that FID and KID are published with; fetched once
    dinov2       DINOv2 (ViT-B/14) by transformers; fetched once

Figures of different networks cannot be compared, nor those of one network with pictures resized otherwise: `protocol`
says both and must stand beside every figure.
"""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np

FeatureName = Literal["caltech101", "fashion", "inception", "dinov2"]


class FeatureNetwork(Protocol):
    """What turns pictures into features."""

    @property
    def protocol(self) -> str:
        """Network, first 8 hex digits of the sha256 of its weights, and how pictures are resized, in one line."""
        ...

    @property
    def channels(self) -> int:
        """Number of features of a picture."""
        ...

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Features `n k` (float64) of pictures `n h w 3`, display floats in [0, 1] of any size."""
        ...


def open_features(name: FeatureName) -> FeatureNetwork:
    """The network of that name, its weights fetched where need be.

    Raises:
        InputError: Weights are not there and cannot be fetched, or are damaged.
        MissingExtraError: A library is missing that the network needs.
    """
    match name:
        case "caltech101" | "fashion":
            from tintype.metrics.classifier import open_classifier

            return open_classifier(name)
        case "inception":
            from tintype.metrics.inception import open_inception

            return open_inception()
        case "dinov2":
            from tintype.metrics.dinov2 import open_dinov2

            return open_dinov2()
