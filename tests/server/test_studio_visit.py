"""What is remembered of visitors: results with the bytes of the command, no network run again, bounds and an end."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.inference.conftest import write_hinted_model, write_model, write_noisy_model

from tintype.errors import ImageError, LimitError
from tintype.image.file import read_image, write_image
from tintype.image.picture import Limits, Reading
from tintype.inference.batch import run_batch
from tintype.inference.hints import Hint
from tintype.inference.one import Turns
from tintype.inference.options import TranslateOptions, describe
from tintype.inference.palette import palette_of
from tintype.inference.plan import plan_batch
from tintype.inference.translator import Translator
from tintype.server import studio_visit
from tintype.server.service import ServedModel
from tintype.server.studio_visit import GoneError, Look, Visits

OPTIONS = TranslateOptions()


def served(path):
    return ServedModel("model", path, Translator(path, threads=1))


@pytest.fixture
def grey(tmp_path):
    """A grey picture of 16 bits as TIFF."""
    path = tmp_path / "grey.tif"
    write_image(path, np.linspace(0.2, 0.7, 40 * 60, dtype=np.float32).reshape(40, 60, 1), bits=16)
    return path


@pytest.fixture
def visits(tmp_path):
    folder = tmp_path / "visits"
    folder.mkdir()
    return Visits(folder)


@pytest.mark.parametrize("suffix", ["tif", "png", "jpg", "fits"])
def test_a_result_has_the_bytes_that_the_command_writes(tmp_path, grey, visits, suffix):
    model = served(write_noisy_model(tmp_path / "model.onnx"))
    source = tmp_path / f"picture.{suffix}"
    if suffix == "fits":
        from astropy.io import fits

        fits.writeto(source, np.arange(2400, dtype=np.float32).reshape(40, 60))
    else:
        write_image(source, read_image(grey).pixels, bits=16 if suffix in ("tif", "png") else 8)
    look = Look(model, 0.7, 3)
    _, visit = visits.begin(source, OPTIONS)
    made = visit.make(look, OPTIONS, Turns())
    asked = TranslateOptions(strength=0.7, seed=3)
    asked = dataclasses.replace(asked, provenance=describe(asked, model.card, model.path))
    (result,) = run_batch(plan_batch([source], tmp_path / "out"), model.translator, asked)
    assert made.file.name == source.name
    assert made.file.read_bytes() == result.output.read_bytes()
    assert read_image(made.shown).pixels.shape == (40, 60, 3)


def test_another_strength_does_not_run_the_network_again(tmp_path, grey, visits, monkeypatch):
    model = served(write_model(tmp_path / "model.onnx"))
    _, visit = visits.begin(grey, OPTIONS)
    runs = []
    predict = Translator.predict
    monkeypatch.setattr(Translator, "predict", lambda *a, **k: runs.append(1) or predict(*a, **k))
    files = [visit.make(Look(model, strength), OPTIONS, Turns()).file.read_bytes() for strength in (0.5, 1, 1.5)]
    assert len(runs) == 1
    assert len(set(files)) == 3


def test_a_large_picture_is_shown_reduced_and_its_file_has_all_pixels(tmp_path, grey, visits, monkeypatch):
    monkeypatch.setattr(studio_visit, "SHOWN_PIXELS", 2000)
    monkeypatch.setattr(studio_visit, "REDUCED_SIDE", 30)
    model = served(write_hinted_model(tmp_path / "model.onnx"))
    _, visit = visits.begin(grey, OPTIONS)
    made = visit.make(Look(model, hints=(Hint(59, 39, (1, 0, 0)),)), OPTIONS, Turns())
    assert read_image(made.file).pixels.shape == (40, 60, 3)
    assert read_image(made.shown).pixels.shape == (20, 30, 3)
    assert any("30 x 20" in note for note in made.notes)


def test_hints_and_a_reference_change_the_result(tmp_path, grey, visits):
    model = served(write_hinted_model(tmp_path / "model.onnx"))
    _, visit = visits.begin(grey, OPTIONS)
    plain = visit.make(Look(model), OPTIONS, Turns())
    hinted = visit.make(Look(model, hints=(Hint(30, 20, (1, 0, 0)),)), OPTIONS, Turns())
    red = np.full((8, 8, 3), (0.8, 0.3, 0.3), np.float32)
    referred = visit.make(Look(model, reference=palette_of(red)), OPTIONS, Turns())
    middle = [read_image(made.file).pixels[20, 30] for made in (plain, hinted)]
    assert np.ptp(middle[0]) < 0.01 and middle[1][0] - middle[1][2] > 0.2
    assert read_image(referred.file).pixels[..., 0].mean() > read_image(plain.file).pixels[..., 0].mean() + 0.05


def test_hints_are_drawn_where_they_are(grey, visits):
    _, visit = visits.begin(grey, OPTIONS)
    plain, marked = (
        read_image(visit.mark(hints)).pixels for hints in ((), (Hint(10, 30, (1, 0, 0)), Hint(60, 0, (0, 0, 1))))
    )
    assert plain.shape == marked.shape == (40, 60, 3)
    assert marked[30, 10, 0] > 0.8 and marked[30, 10, 1] < 0.3
    assert np.abs(marked - plain)[:20, :40].max() < 0.05


def test_results_beyond_the_limits_are_refused(tmp_path, grey, visits):
    options = TranslateOptions(reading=Reading(limits=Limits(pixels=2400)))
    _, visit = visits.begin(grey, options)
    model = served(write_model(tmp_path / "model.onnx"))
    visit.make(Look(model), options, Turns())
    with pytest.raises(LimitError, match=r"60 x 40 pixels of its result, more than the 2,399"):
        visit.make(Look(model), TranslateOptions(reading=Reading(limits=Limits(pixels=2399))), Turns())


def test_what_is_no_picture_is_refused_and_leaves_nothing(tmp_path, visits):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(ImageError):
        visits.begin(broken, OPTIONS)
    assert len(visits) == 0 and list((tmp_path / "visits").iterdir()) == []


def test_keys_are_secret_and_a_new_picture_takes_the_place_of_the_old(tmp_path, grey, visits):
    first, visit = visits.begin(grey, OPTIONS)
    second, _ = visits.begin(grey, OPTIONS, first)
    assert len(first) >= 20 and first != second
    assert not visit.folder.exists() and len(visits) == 1
    for key in (first, None, ""):
        with pytest.raises(GoneError):
            visits.get(key)


def test_visitors_are_bounded_in_number_and_time(tmp_path, grey):
    now = [0.0]
    visits = Visits(tmp_path, most=2, idle_s=10, clock=lambda: now[0])
    keys = [visits.begin(grey, OPTIONS)[0] for _ in range(2)]
    now[0] = 5
    visits.get(keys[0])
    keys.append(visits.begin(grey, OPTIONS)[0])
    with pytest.raises(GoneError):
        visits.get(keys[1])
    now[0] = 12
    visits.get(keys[0])
    now[0] = 15.5
    with pytest.raises(GoneError, match="drop it again"):
        visits.get(keys[2])
    assert len(visits) == 1


def test_a_visitor_in_work_is_not_forgotten(tmp_path, grey):
    now = [0.0]
    visits = Visits(tmp_path, idle_s=10, clock=lambda: now[0])
    key, visit = visits.begin(grey, OPTIONS)
    with visit.lock:
        now[0] = 100
        assert visits.get(key) is visit
