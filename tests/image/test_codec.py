"""Codecs: one contract for all, and what is particular to Lab."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tintype.image import color
from tintype.image.codec import LabSpace, build_codec
from tintype.image.reduce import reduced
from tintype.recipe.schema import Recipe

CODECS = {
    "rgb": {"kind": "rgb"},
    "rgb from grey": {"kind": "rgb", "source": "grey"},
    "gray": {"kind": "gray"},
    "gray, lab": {"kind": "gray", "grey": "lab"},
    "lab": {"kind": "lab"},
    "lab, rec601": {"kind": "lab", "grey": "rec601"},
    "lab, quarter": {"kind": "lab", "chroma_size": 8},
    "enlarge": {"kind": "enlarge", "scale": 2},
}


def make(codec):
    return build_codec(
        Recipe.model_validate(
            {
                "name": "test",
                "data": {
                    "kind": "colour" if codec["kind"] in ("lab", "enlarge") or "source" in codec else "folders",
                    "size": 32,
                },
                "codec": codec,
                "generator": {"kind": "srresnet"} if codec["kind"] == "enlarge" else {"levels": 4},
                "training": {"steps": 1},
            }
        )
    )


@pytest.fixture(params=CODECS, ids=str)
def codec(request):
    return make(CODECS[request.param])


def picture(channels=3, seed=0):
    return np.random.default_rng(seed).random((2, channels, 32, 32), dtype=np.float32)


def enlarged(output, codec):
    """Chroma at the size of its source, by repetition."""
    return np.repeat(np.repeat(output, 32 // output.shape[-2], axis=-2), 32 // output.shape[-1], axis=-1)


def test_channels_are_as_declared(codec):
    target = picture()
    source = codec.source_from(target)
    assert source.shape == (2, codec.source_channels, 32, 32)
    assert codec.encode_source(source).shape == source.shape
    assert codec.encode_target(target).shape[:2] == (2, codec.target_channels)


def test_everything_encoded_lies_in_model_space(codec):
    for target in (picture(), np.zeros((1, 3, 32, 32), np.float32), np.ones((1, 3, 32, 32), np.float32)):
        for encoded in (codec.encode_source(codec.source_from(target)), codec.encode_target(target)):
            assert np.abs(encoded).max() <= 1 + 1e-6


def test_a_source_uses_both_ends_of_model_space(codec):
    black_and_white = np.stack((np.zeros((3, 32, 32)), np.ones((3, 32, 32)))).astype(np.float32)
    encoded = codec.encode_source(codec.source_from(black_and_white))
    np.testing.assert_allclose(encoded[0], -1, atol=1e-6)
    np.testing.assert_allclose(encoded[1], 1, atol=1e-5)


def test_whatever_a_network_makes_decodes_to_display_space(codec):
    source = codec.source_from(picture())
    output = np.random.default_rng(1).uniform(-1, 1, (2, codec.target_channels, 32, 32)).astype(np.float32)
    decoded = codec.decode(source, output)
    assert decoded.shape == (2, 1 if codec.target_channels == 1 else 3, 32, 32)
    assert decoded.min() >= 0
    assert decoded.max() <= 1


def test_dtype_stays(codec):
    target = picture()
    source = codec.source_from(target)
    results = (source, codec.encode_source(source), codec.encode_target(target))
    decoded = codec.decode(source, enlarged(results[2], codec))
    assert {result.dtype for result in (*results, decoded)} == {np.dtype(np.float32)}


def test_torch_gives_what_numpy_gives(codec):
    target = picture()
    source = codec.source_from(target)
    output = enlarged(codec.encode_target(target), codec)
    target_t, source_t, output_t = (torch.from_numpy(array) for array in (target, source, output))
    for ours, theirs in (
        (codec.source_from(target_t), source),
        (codec.encode_source(source_t), codec.encode_source(source)),
        (codec.encode_target(target_t), codec.encode_target(target)),
        (codec.decode(source_t, output_t), codec.decode(source, output)),
    ):
        assert isinstance(ours, torch.Tensor)
        # 4e-3: rounding may decide the last halving of chroma at the edge of the gamut either way
        np.testing.assert_allclose(ours.numpy(), theirs, atol=4e-3)


def test_a_colour_picture_is_encoded_like_the_source_made_of_it(codec):
    target = picture()
    np.testing.assert_allclose(codec.encode_source(target), codec.encode_source(codec.source_from(target)), atol=1e-6)


def test_a_grey_picture_is_encoded_like_its_three_equal_channels(codec):
    grey = picture(channels=1)
    repeated = np.repeat(grey, 3, axis=1)
    np.testing.assert_allclose(codec.encode_source(grey), codec.encode_source(repeated), atol=1e-4)
    np.testing.assert_allclose(codec.encode_target(grey), codec.encode_target(repeated), atol=1e-4)


@pytest.mark.parametrize("name", ["rgb", "rgb from grey", "lab"])
@given(colour=hnp.arrays(np.float64, (1, 3, 2, 2), elements=st.floats(0, 1, width=32)))
def test_a_target_comes_back_through_codecs_that_keep_all_of_it(name, colour):
    codec = make(CODECS[name])
    decoded = codec.decode(codec.source_from(colour), codec.encode_target(colour))
    np.testing.assert_allclose(decoded, colour, atol=2e-4)


def test_only_what_enlarges_makes_its_source_smaller(codec):
    target, scale = picture(), codec.scale
    source = codec.source_of(target)
    assert source.shape == (2, codec.source_channels, 32 // scale, 32 // scale)
    if scale == 1:
        np.testing.assert_array_equal(source, codec.source_from(target))
    else:
        np.testing.assert_array_equal(source * 255, np.rint(source * 255))  # as a file of 8 bits would hold it
        np.testing.assert_allclose(source, np.clip(reduced(target, scale), 0, 1), atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(codec.source_of(torch.from_numpy(target)).numpy(), source, atol=1.01 / 255)


def test_only_lab_predicts_chroma():
    assert {name for name, codec in CODECS.items() if make(codec).predicts_chroma} == {
        "lab",
        "lab, rec601",
        "lab, quarter",
    }


def test_kinds_of_grey_differ():
    assert (
        np.abs(make(CODECS["gray"]).source_from(picture()) - make(CODECS["gray, lab"]).source_from(picture())).max()
        > 0.05
    )


def test_lab_target_is_chroma_over_110_averaged_over_the_stride():
    target = picture()
    chroma = color.rgb_to_lab(target)[:, 1:] / 110
    np.testing.assert_allclose(make(CODECS["lab"]).encode_target(target), chroma, atol=1e-6)
    small = make(CODECS["lab, quarter"]).encode_target(target)
    assert small.shape == (2, 2, 8, 8)
    np.testing.assert_allclose(small[1, 0, 2, 5], chroma[1, 0, 8:12, 20:24].mean(), atol=1e-6)


def test_lab_decode_keeps_the_luminance_of_the_source_whatever_the_chroma():
    source = picture(channels=1)
    output = np.random.default_rng(1).uniform(-1, 1, (2, 2, 32, 32)).astype(np.float32)
    decoded = LabSpace(grey="lab").decode(source, output)
    np.testing.assert_allclose(color.luminance(decoded), color.grey_to_luminance(source), atol=0.05)


def test_lab_decode_of_no_chroma_is_the_grey_source():
    source = picture(channels=1)
    decoded = LabSpace(grey="lab").decode(source, np.zeros((2, 2, 32, 32), np.float32))
    np.testing.assert_allclose(decoded, np.repeat(source, 3, axis=1), atol=1e-4)
