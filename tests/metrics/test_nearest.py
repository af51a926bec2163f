import numpy as np
import pytest

from tintype.errors import DataError
from tintype.metrics.baselines import NEAREST, colouring_baselines, translation_baselines
from tintype.metrics.colour import lab_of
from tintype.metrics.nearest import NearestPicture


def pictures(count, side=40, seed=0):
    return list(np.random.default_rng(seed).random((count, side, side + 7, 3), dtype=np.float32))


@pytest.mark.parametrize("channels", [1, 3])
def test_each_picture_is_nearest_to_itself_and_to_what_is_like_it(channels):
    sources = [picture[..., :channels] for picture in pictures(6)]
    nearest = NearestPicture(sources, lambda n: np.full((2, 2, 3), n))
    assert len(nearest) == 6
    for number, source in enumerate(sources):
        assert nearest.index(source) == number
        darker = np.clip(source * 0.98, 0, 1)
        assert nearest(darker)[0, 0, 0] == number


def test_the_nearest_agrees_with_a_search_over_means_of_blocks():
    sources = [picture[:32, :32, :1] for picture in pictures(30)]
    query = pictures(1, seed=5)[0][:32, :32, :1]

    def blocks(source):
        lightness = lab_of(np.repeat(source, 3, axis=-1))[0]
        return np.array(
            [[lightness[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for j in range(16)] for i in range(16)]
        )

    distances = [np.linalg.norm(blocks(source) - blocks(query)) for source in sources]
    assert NearestPicture(sources, lambda n: sources[n]).index(query) == np.argmin(distances)


def test_only_the_nearest_target_is_loaded():
    loaded = []
    sources = pictures(3)
    NearestPicture(sources, lambda n: loaded.append(n) or sources[n])(sources[2])
    assert loaded == [2]


def test_without_training_pictures_there_is_no_nearest():
    with pytest.raises(DataError, match="at least one is needed"):
        NearestPicture([], lambda n: n)


def test_a_colouring_takes_the_chroma_and_keeps_its_own_luminance():
    source = np.full((32, 48, 1), 0.5, np.float32)
    blue = np.broadcast_to(np.array([0.4, 0.45, 0.6], np.float32), (16, 16, 3))
    made = colouring_baselines(source, None, blue)[NEAREST]
    assert made.shape == (32, 48, 3)
    np.testing.assert_allclose(lab_of(made)[1:, 0, 0], lab_of(blue)[1:, 0, 0], atol=0.1)
    np.testing.assert_allclose(lab_of(made)[0], lab_of(np.repeat(source, 3, axis=-1))[0], atol=0.01)


def test_another_task_takes_the_target_as_it_is():
    source, target = pictures(2)
    assert translation_baselines(source, None, target)[NEAREST] is target
    assert NEAREST not in translation_baselines(source, None)
