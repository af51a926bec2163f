"""Figures that not every evaluation has: MS-SSIM where the pictures are large enough, LPIPS where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from tintype.errors import UsageError
from tintype.metrics.fidelity import MS_SSIM_SIDE, ms_ssim
from tintype.metrics.luma import luma_measures, luma_protocol

if TYPE_CHECKING:
    from tintype.metrics.lpips import Lpips

Trunk = Literal["alex", "vgg"]
"""Networks that LPIPS may be measured by."""

Measure = Callable[[np.ndarray, np.ndarray], float]
"""A figure of an output and its truth, `h w 3` each."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Further figures by name, what the protocol must say of them, and notes on those that are left out."""

    by_name: Mapping[str, Measure] = field(default_factory=dict)
    protocol: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def further_measures(
    size: int, *, multiscale: bool | None = None, lpips: Lpips | None = None, scale: int = 1
) -> Measures:
    """What is measured beside the figures that every evaluation has.

    Args:
        size: Side in pixels of the scored pictures.
        multiscale: Whether MS-SSIM is wanted; default: wherever the size allows it.
        lpips: Opened by whoever wants it.
        scale: Times that the task enlarges pictures; where it does, PSNR and SSIM of Y come first.

    Raises:
        UsageError: The pictures are too small for LPIPS, or for what is cut off them for Y.
    """
    by_name: dict[str, Measure] = {}
    protocol, notes = {}, []
    if scale > 1:
        by_name |= luma_measures(scale, size)
        protocol["luma"] = luma_protocol(scale)
    if size >= MS_SSIM_SIDE and multiscale is not False:
        by_name["MS-SSIM"] = ms_ssim
    elif multiscale:
        notes.append(f"MS-SSIM is left out: its scales take {MS_SSIM_SIDE} pixels a side, and {size} were scored.")
    if lpips is not None:
        if size < lpips.side:
            raise UsageError(f"lpips: {size} pixels a side are too few; score {lpips.side} or more, or leave it out")
        by_name[f"LPIPS {lpips.trunk}"] = lambda output, truth: float(lpips(output[None], truth[None])[0])
        protocol["lpips"] = lpips.protocol
    return Measures(by_name, protocol, tuple(notes))
