"""Joint crop, flip, rotation and zoom of training samples, cut from a flat store of pictures in one batched gather.

Every sample has a `Placement`: where its window lies in the picture and how it is turned. It follows from (seed, epoch,
index) alone, so neither the batch size nor the number of workers changes it. Source and target are cut with the same
placements.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tintype.recipe.data import AugmentSpec


@dataclass(frozen=True, slots=True)
class Placement:
    """A square window: its centre in pixels (y, x), and the matrix from output offsets to picture offsets (y, x)."""

    centre: tuple[float, float]
    matrix: tuple[tuple[float, float], tuple[float, float]]
    exact: bool
    """Whether all samples lie on whole pixels, so that nothing has to be interpolated."""


def sample_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The source of all randomness of one sample."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch, index))))


def epoch_order(seed: int, epoch: int, count: int, number: int = 0) -> np.ndarray:
    """An order in which an epoch goes through `count` pictures, int64; each `number` gives another one."""
    # Indices from 2**40 lie beyond any picture, so the order is independent of every sample's own numbers.
    return sample_generator(seed, epoch, 2**40 + number).permutation(count)


def draw_placement(spec: AugmentSpec, size: int, height: int, width: int, random: np.random.Generator) -> Placement:
    """A random window of `size` output pixels in a picture of at least that size.

    All numbers are drawn whatever the settings, so that switching one kind of change off leaves the others as they
    were.
    """
    across, down, mirror, flip, turn, angle, zoom = random.random(7)
    factor = spec.zoom**zoom
    side = size / factor
    exact = spec.angle == 0 and spec.zoom == 1
    if exact:
        top, left = float(int(down * (height - size + 1))), float(int(across * (width - size + 1)))
    else:
        top, left = down * (height - side), across * (width - side)
    matrix = np.eye(2) / factor
    if spec.flip and mirror < 0.5:
        matrix = matrix @ np.diag([1.0, -1.0])
    if spec.flip_vertical and flip < 0.5:
        matrix = matrix @ np.diag([-1.0, 1.0])
    if spec.quarter_turns:
        matrix = matrix @ np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), int(turn * 4))
    if spec.angle:
        radians = np.deg2rad(spec.angle * (2 * angle - 1))
        cosine, sine = np.cos(radians), np.sin(radians)
        matrix = matrix @ np.array([[cosine, -sine], [sine, cosine]])
    (a, b), (c, d) = matrix.tolist()
    return Placement((top + (side - 1) / 2, left + (side - 1) / 2), ((a, b), (c, d)), exact)


def cut(
    flat: Tensor, offsets: Tensor, heights: Tensor, widths: Tensor, placements: list[Placement], size: int
) -> Tensor:
    """The placed windows as display values, `n 3 size size` float32 in [0, 1], laid out channels-last.

    Outside a picture (free rotation reaches there) its mirror image continues it.

    Args:
        flat: uint8, all pictures one after the other, each `h w 3`.
        offsets: Where each sample's picture starts in `flat`, `n` int64 on the device of `flat`.
        heights: Of each sample's picture in pixels, likewise.
        widths: Likewise.
        placements: One for each sample.
        size: Side of a window in pixels.
    """
    device = flat.device
    centres = torch.tensor([placement.centre for placement in placements], dtype=torch.float64)
    matrices = torch.tensor([placement.matrix for placement in placements], dtype=torch.float64)
    ramp = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    # position[n, axis, row, column] in picture pixels; float64, since whole pixels must come out whole
    position = (
        centres[:, :, None, None]
        + matrices[:, :, 0, None, None] * ramp[None, None, :, None]
        + matrices[:, :, 1, None, None] * ramp[None, None, None, :]
    )
    position = position.to(device if device.type != "mps" else "cpu")
    heights, widths = heights[:, None, None], widths[:, None, None]
    colours, first = flat.view(-1, 3), offsets // 3

    def pixels(y: Tensor, x: Tensor) -> Tensor:
        row = first[:, None, None] + _mirrored(y, heights) * widths + _mirrored(x, widths)
        return colours.index_select(0, row.flatten()).view(*row.shape, 3).float()

    if all(placement.exact for placement in placements):
        y, x = position.round().long().to(device).unbind(1)
        window = pixels(y, x)
    else:
        corner = position.floor()
        y, x = corner.long().to(device).unbind(1)
        down, across = (position - corner).float().to(device).unsqueeze(-1).unbind(1)
        top = pixels(y, x) * (1 - across) + pixels(y, x + 1) * across
        bottom = pixels(y + 1, x) * (1 - across) + pixels(y + 1, x + 1) * across
        window = top * (1 - down) + bottom * down
    return (window / 255).permute(0, 3, 1, 2)


def _mirrored(index: Tensor, length: Tensor) -> Tensor:
    """Indices brought into [0, length) by reflection at the outer edges of the border pixels."""
    index = index.remainder(2 * length)
    return torch.minimum(index, 2 * length - 1 - index)
