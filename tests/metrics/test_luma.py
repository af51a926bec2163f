"""PSNR and SSIM of Y, as the literature on super-resolution has them."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio

from tintype.errors import UsageError
from tintype.metrics.luma import PSNR_Y, SSIM_Y, luma
from tintype.metrics.measures import further_measures


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((32, 40, 3), dtype=np.float32)


def test_y_is_that_of_scikit_image() -> None:
    np.testing.assert_allclose(luma(picture(0))[..., 0] * 255, rgb2ycbcr(picture(0))[..., 0], atol=1e-4)


def test_the_border_counts_for_nothing() -> None:
    truth, output = picture(1), np.clip(picture(1) + 0.05 * (picture(2) - 0.5), 0, 1)
    measures = further_measures(32, scale=4).by_name
    spoiled = output.copy()
    spoiled[:4] = spoiled[-4:] = 0
    spoiled[:, :4] = spoiled[:, -4:] = 1
    for title in (PSNR_Y, SSIM_Y):
        assert measures[title](spoiled, truth) == measures[title](output, truth)
    y, other = (rgb2ycbcr(one)[4:-4, 4:-4, 0] for one in (truth, output))
    assert measures[PSNR_Y](output, truth) == pytest.approx(peak_signal_noise_ratio(y, other, data_range=255), abs=1e-4)


def test_they_are_measured_where_pictures_are_enlarged_and_said_in_the_protocol() -> None:
    measures = further_measures(64, scale=2)
    assert list(measures.by_name) == [PSNR_Y, SSIM_Y]
    assert measures.protocol == {"luma": "Y of BT.601 in 16 to 235 of 255, border of 2 px cut"}
    with pytest.raises(UsageError, match="cut 8 pixels off every side, which leaves 8 of 24; score 27 or more"):
        further_measures(24, scale=8)
