"""Chroma follows the edges of luminance, and is that of plain enlarging where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from tintype.image.guided import GuidedResizing
from tintype.image.resize import resize


def halves(size, edge):
    """L* and chroma of two flat halves whose border is at the column `edge`."""
    right = np.arange(size) >= edge
    lightness = np.broadcast_to(np.where(right, 80, 20), (size, size)).astype(np.float32)
    chroma = np.stack([np.where(right, 40, -10), np.where(right, -30, 20)], -1)
    return lightness, np.broadcast_to(chroma, (size, size, 2)).astype(np.float32)


@pytest.mark.parametrize("edge", [128, 133, 140])
def test_colour_bleeds_less_over_an_edge(edge):
    lightness, chroma = halves(256, edge)
    small_lightness, small_chroma = (resize(x.reshape(256, 256, -1), 32, 32) for x in (lightness, chroma))
    guided = GuidedResizing(small_chroma, small_lightness[..., 0], 256, 256).rows(0, lightness)
    plain = resize(small_chroma, 256, 256, "cubic")
    assert np.abs(guided - chroma).mean() < 0.6 * np.abs(plain - chroma).mean()


def test_without_detail_in_luminance_it_is_plain_enlarging():
    random = np.random.default_rng(0)
    chroma = random.uniform(-50, 50, (20, 30, 2)).astype(np.float32)
    lightness = random.uniform(0, 100, (20, 30)).astype(np.float32)
    smooth = resize(lightness[..., None], 90, 100, "cubic")[..., 0]
    guided = GuidedResizing(chroma, lightness, 90, 100).rows(0, smooth)
    np.testing.assert_allclose(guided, resize(chroma, 90, 100, "cubic"), atol=1e-4)


def test_strips_are_those_of_the_whole():
    random = np.random.default_rng(0)
    chroma = random.uniform(-50, 50, (20, 30, 2)).astype(np.float32)
    small, lightness = (random.uniform(0, 100, shape).astype(np.float32) for shape in ((20, 30), (90, 100)))
    guided = GuidedResizing(chroma, small, 90, 100)
    strips = [guided.rows(top, lightness[top : top + 7]) for top in range(0, 90, 7)]
    np.testing.assert_array_equal(np.concatenate(strips), guided.rows(0, lightness))
