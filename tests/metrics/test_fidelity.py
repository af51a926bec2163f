import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from tintype.errors import UsageError
from tintype.metrics import PSNR_CAP, ms_ssim, psnr, ssim


def noisy_pair(shape, seed=0, dtype=np.float32, noise=0.1):
    rng = np.random.default_rng(seed)
    clean = rng.random(shape)
    return clean.astype(dtype), np.clip(clean + noise * rng.normal(size=shape), 0, 1).astype(dtype)


@pytest.mark.parametrize("shape", [(40, 31, 3), (17, 64, 1), (11, 11, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_psnr_and_ssim_equal_scikit_image(shape, dtype):
    x, y = noisy_pair(shape, dtype=dtype)
    expected = structural_similarity(
        x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=-1
    )
    assert ssim(x, y) == pytest.approx(expected, rel=1e-4)
    assert psnr(x, y) == pytest.approx(peak_signal_noise_ratio(x, y, data_range=1), rel=1e-5)


def test_psnr_of_a_constant_offset_is_known():
    black = np.zeros((4, 5, 3))
    assert psnr(black, black + 0.1) == pytest.approx(20)
    assert psnr(black, black + 1) == pytest.approx(0)


def test_ssim_of_two_constant_pictures_is_their_luminance_term():
    x, y = np.full((16, 16, 3), 0.25), np.full((16, 16, 3), 0.75)
    assert ssim(x, y) == pytest.approx((2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), noise=st.floats(0.001, 1))
def test_psnr_and_ssim_are_symmetric_and_best_on_equality(seed, noise):
    x, y = noisy_pair((14, 12, 3), seed, noise=noise)
    assert psnr(x, y) == psnr(y, x) < PSNR_CAP
    assert ssim(x, y) == pytest.approx(ssim(y, x))
    assert ssim(x, y) < 1
    assert psnr(x, x) == PSNR_CAP
    assert ssim(x, x) == pytest.approx(1)


def test_more_noise_scores_lower():
    scores = [(psnr(*pair), ssim(*pair)) for pair in (noisy_pair((32, 32, 3), noise=n) for n in (0.02, 0.1, 0.5))]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_pictures_of_different_shapes_are_refused_in_one_line(metric):
    with pytest.raises(UsageError, match=r"shapes \(16, 16, 1\) and \(16, 16, 3\)") as caught:
        metric(np.zeros((16, 16, 1)), np.zeros((16, 16, 3)))
    assert "\n" not in str(caught.value)


def test_ssim_says_how_large_a_picture_must_be():
    with pytest.raises(UsageError, match="12 x 10 pixels is too small: use 11 x 11 or more"):
        ssim(np.zeros((10, 12, 3)), np.zeros((10, 12, 3)))


@pytest.mark.parametrize("shape", [(176, 200, 3), (181, 257, 1)], ids=["even", "odd sides"])
@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_ms_ssim_equals_that_of_torchmetrics_but_for_the_borders_of_the_coarsest_scale(shape, noise):
    x, y = noisy_pair(shape, noise=noise, dtype=np.float64)
    fine = [torch.from_numpy(np.moveaxis(picture, -1, 0)[None]) for picture in (x, y)]
    coarse = fine
    for _ in range(4):
        coarse = [torch.nn.functional.avg_pool2d(picture, 2) for picture in coarse]
    # Theirs has windows over mirrored borders at the coarsest scale; the paper has windows within the picture only.
    mirrored = structural_similarity_index_measure(*coarse, data_range=1.0)
    within = structural_similarity(
        *(picture[0].numpy() for picture in coarse),
        gaussian_weights=True,
        use_sample_covariance=False,
        data_range=1,
        channel_axis=0,
    )
    theirs = multiscale_structural_similarity_index_measure(*fine, data_range=1.0)
    assert ms_ssim(x, y) == pytest.approx(float(theirs * (within / mirrored) ** 0.1333), rel=1e-4)


def test_ms_ssim_is_1_for_equal_pictures_and_0_for_a_negative():
    x, _ = noisy_pair((176, 176, 3))
    assert ms_ssim(x, x) == pytest.approx(1)
    assert ms_ssim(x, 1 - x) == 0


def test_ms_ssim_of_a_small_picture_is_refused_with_the_side_it_takes():
    with pytest.raises(UsageError, match=r"200 x 175 pixels is too small for 5 scales: use 176 x 176 or more"):
        ms_ssim(np.zeros((175, 200, 3)), np.zeros((175, 200, 3)))
    with pytest.raises(UsageError, match="shapes"):
        ms_ssim(np.zeros((180, 180, 3)), np.zeros((180, 181, 3)))
