"""Discriminator with a dense layer at its end: one logit for each picture, of one size of pictures alone."""

from __future__ import annotations

from torch import Tensor, nn

from tintype.networks.patchgan import PatchGan
from tintype.recipe.networks import Norm


class DenseGan(nn.Module):
    """`n c side side -> n 1` raw logits: a PatchGAN whose patches one linear layer weighs; the sigmoid is in the loss.

    `side` must be at least `smallest_input_px(layers)`.
    """

    def __init__(
        self, channels_in: int, *, side: int, filters: int = 64, layers: int = 3, norm: Norm = "instance"
    ) -> None:
        super().__init__()
        patches = (side >> layers) - 2  # along a side: each of the two last convolutions takes one away
        self.layers = nn.Sequential(
            *PatchGan(channels_in, filters=filters, layers=layers, norm=norm).layers,
            nn.LeakyReLU(0.2, inplace=True),
            nn.Flatten(),
            nn.Linear(patches**2, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Judge a batch in model space."""
        return self.layers(x)
