"""Figures of merit of pictures in display space, their intervals, the trivial baselines and the table of scores.

Pictures are numpy arrays `h w c`, sRGB-encoded floats in [0, 1]; model space never comes here. Nothing here imports
torch at once or knows models: `tintype.evaluation` joins the two.
"""

from tintype.metrics.colour import ciede2000, colourfulness, delta_e_2000, mean_chroma
from tintype.metrics.distribution import (
    KidEstimate,
    fid,
    frechet_distance,
    kid,
    paired_kid,
    paired_kid_difference,
)
from tintype.metrics.fidelity import MS_SSIM_SIDE, PSNR_CAP, ms_ssim, psnr, ssim
from tintype.metrics.interval import Interval, bootstrap_interval

__all__ = [
    "MS_SSIM_SIDE",
    "PSNR_CAP",
    "Interval",
    "KidEstimate",
    "bootstrap_interval",
    "ciede2000",
    "colourfulness",
    "delta_e_2000",
    "fid",
    "frechet_distance",
    "kid",
    "mean_chroma",
    "ms_ssim",
    "paired_kid",
    "paired_kid_difference",
    "psnr",
    "ssim",
]
