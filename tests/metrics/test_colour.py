import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import deltaE_ciede2000, rgb2lab

from tintype.metrics import ciede2000, colourfulness, delta_e_2000, mean_chroma

# L1 a1 b1, L2 a2 b2, difference: table 1 of Sharma, Wu & Dalal, "The CIEDE2000 color-difference formula: implementation
# notes, supplementary test data, and mathematical observations", Color Research and Application 30(1), 2005.
SHARMA = """
50.0000   2.6772 -79.7751  50.0000   0.0000 -82.7485   2.0425
50.0000   3.1571 -77.2803  50.0000   0.0000 -82.7485   2.8615
50.0000   2.8361 -74.0200  50.0000   0.0000 -82.7485   3.4412
50.0000  -1.3802 -84.2814  50.0000   0.0000 -82.7485   1.0000
50.0000  -1.1848 -84.8006  50.0000   0.0000 -82.7485   1.0000
50.0000  -0.9009 -85.5211  50.0000   0.0000 -82.7485   1.0000
50.0000   0.0000   0.0000  50.0000  -1.0000   2.0000   2.3669
50.0000  -1.0000   2.0000  50.0000   0.0000   0.0000   2.3669
50.0000   2.4900  -0.0010  50.0000  -2.4900   0.0009   7.1792
50.0000   2.4900  -0.0010  50.0000  -2.4900   0.0010   7.1792
50.0000   2.4900  -0.0010  50.0000  -2.4900   0.0011   7.2195
50.0000   2.4900  -0.0010  50.0000  -2.4900   0.0012   7.2195
50.0000  -0.0010   2.4900  50.0000   0.0009  -2.4900   4.8045
50.0000  -0.0010   2.4900  50.0000   0.0010  -2.4900   4.8045
50.0000  -0.0010   2.4900  50.0000   0.0011  -2.4900   4.7461
50.0000   2.5000   0.0000  50.0000   0.0000  -2.5000   4.3065
50.0000   2.5000   0.0000  73.0000  25.0000 -18.0000  27.1492
50.0000   2.5000   0.0000  61.0000  -5.0000  29.0000  22.8977
50.0000   2.5000   0.0000  56.0000 -27.0000  -3.0000  31.9030
50.0000   2.5000   0.0000  58.0000  24.0000  15.0000  19.4535
50.0000   2.5000   0.0000  50.0000   3.1736   0.5854   1.0000
50.0000   2.5000   0.0000  50.0000   3.2972   0.0000   1.0000
50.0000   2.5000   0.0000  50.0000   1.8634   0.5757   1.0000
50.0000   2.5000   0.0000  50.0000   3.2592   0.3350   1.0000
60.2574 -34.0099  36.2677  60.4626 -34.1751  39.4387   1.2644
63.0109 -31.0961  -5.8663  62.8187 -29.7946  -4.0864   1.2630
61.2901   3.7196  -5.3901  61.4292   2.2480  -4.9620   1.8731
35.0831 -44.1164   3.7933  35.0232 -40.0716   1.5901   1.8645
22.7233  20.0904 -46.6940  23.0331  14.9730 -42.5619   2.0373
36.4612  47.8580  18.3852  36.2715  50.5065  21.2231   1.4146
90.8027  -2.0831   1.4410  91.1528  -1.6435   0.0447   1.4441
90.9257  -0.5406  -0.9208  88.6381  -0.8985  -0.7239   1.5381
 6.7747  -0.2908  -2.4247   5.8714  -0.0985  -2.2286   0.6377
 2.0776   0.0795  -1.1350   0.9033  -0.0636  -0.5514   0.9082
"""


def pictures(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return rng.random((2, 24, 20, 3)).astype(dtype)


def test_ciede2000_reproduces_the_34_published_pairs():
    table = np.array([line.split() for line in SHARMA.strip().splitlines()], dtype=float)
    assert table.shape == (34, 7)
    lab_1, lab_2 = table[:, :3].T, table[:, 3:6].T
    np.testing.assert_allclose(delta_e_2000(lab_1, lab_2), table[:, 6], atol=5.1e-5)
    np.testing.assert_allclose(delta_e_2000(lab_2, lab_1), table[:, 6], atol=5.1e-5)
    assert deltaE_ciede2000(lab_1.T, lab_2.T) == pytest.approx(table[:, 6], abs=5.1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ciede2000_and_chroma_of_pictures_equal_scikit_image(dtype):
    x, y = pictures(dtype=dtype)
    lab = rgb2lab(x)
    assert ciede2000(x, y) == pytest.approx(deltaE_ciede2000(lab, rgb2lab(y)).mean(), rel=1e-4)
    assert mean_chroma(x) == pytest.approx(np.hypot(lab[..., 1], lab[..., 2]).mean(), rel=1e-4)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_ciede2000_is_symmetric_positive_and_zero_on_equality(seed):
    x, y = pictures(seed)
    assert ciede2000(x, y) == pytest.approx(ciede2000(y, x))
    assert ciede2000(x, y) > 0
    assert ciede2000(x, x) == 0


def test_black_and_white_are_100_apart():
    assert ciede2000(np.zeros((2, 2, 3)), np.ones((2, 2, 3))) == pytest.approx(100, abs=0.01)


def test_a_grey_picture_has_neither_chroma_nor_colourfulness():
    grey = np.repeat(np.linspace(0, 1, 30).reshape(5, 6, 1), 3, axis=-1)
    assert colourfulness(grey) == 0
    assert mean_chroma(grey) < 0.02


def test_colourfulness_equals_hand_computed_values():
    # Uniform red: rg = 255, yb = 127.5, no spread, so M = 0.3 * sqrt(255^2 + 127.5^2).
    red = np.zeros((3, 3, 3))
    red[..., 0] = 1
    assert colourfulness(red) == pytest.approx(85.5296, abs=1e-4)
    # Half red, half green: rg = +-255 (mean 0, deviation 255), yb = 127.5 throughout, so M = 255 + 0.3 * 127.5.
    half = np.zeros((2, 4, 3), np.float32)
    half[:, :2, 0] = half[:, 2:, 1] = 1
    assert colourfulness(half) == pytest.approx(293.25, abs=1e-4)
    # One blue pixel among three black ones: yb is -255 once, mean -63.75, deviation 255 * sqrt(3) / 4.
    blue = np.zeros((2, 2, 3))
    blue[0, 0, 2] = 1
    assert colourfulness(blue) == pytest.approx(255 * np.sqrt(3) / 4 + 0.3 * 63.75, abs=1e-4)
