"""Which further figures an evaluation has, and what it says of those that it lacks."""

from __future__ import annotations

import numpy as np
import pytest

from tintype.errors import UsageError
from tintype.metrics.fidelity import MS_SSIM_SIDE, ms_ssim
from tintype.metrics.measures import further_measures


class FakeLpips:
    """The mean difference."""

    trunk, side, protocol = "alex", 32, "lpips 0.1 alex 12345678, pictures as they are"

    def __call__(self, x, y):
        return np.abs(x - y).mean(axis=(1, 2, 3))


def test_ms_ssim_is_measured_where_the_pictures_have_its_scales_left():
    assert dict(further_measures(MS_SSIM_SIDE).by_name) == {"MS-SSIM": ms_ssim}
    for measures in (further_measures(MS_SSIM_SIDE, multiscale=False), further_measures(MS_SSIM_SIDE - 1)):
        assert (measures.by_name, measures.protocol, measures.notes) == ({}, {}, ())


def test_ms_ssim_that_was_asked_for_and_cannot_be_is_noted():
    measures = further_measures(64, multiscale=True)
    assert measures.by_name == {}
    assert measures.notes == ("MS-SSIM is left out: its scales take 176 pixels a side, and 64 were scored.",)


def test_lpips_has_its_network_in_the_protocol_and_a_column_of_its_own():
    measures = further_measures(64, lpips=FakeLpips())
    assert measures.protocol == {"lpips": FakeLpips.protocol}
    assert measures.by_name["LPIPS alex"](np.zeros((64, 64, 3)), np.full((64, 64, 3), 0.25)) == 0.25


def test_pictures_too_small_for_lpips_are_refused_before_any_is_judged():
    with pytest.raises(UsageError, match="lpips: 16 pixels a side are too few; score 32 or more"):
        further_measures(16, lpips=FakeLpips())
