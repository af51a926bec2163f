"""Figures of merit of pictures in display space, their intervals, the trivial baselines and the table of scores.

Pictures are numpy arrays `h w c`, sRGB-encoded floats in [0, 1]; model space never comes here. Nothing here imports
torch or knows models: `tintype.evaluation` joins the two.
"""

from tintype.metrics.colour import ciede2000, colourfulness, delta_e_2000, mean_chroma
from tintype.metrics.fidelity import PSNR_CAP, psnr, ssim
from tintype.metrics.interval import Interval, bootstrap_interval

__all__ = [
    "PSNR_CAP",
    "Interval",
    "bootstrap_interval",
    "ciede2000",
    "colourfulness",
    "delta_e_2000",
    "mean_chroma",
    "psnr",
    "ssim",
]
