"""The page of a human test: what is on it, and that nothing but the pictures tells which are real."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from tests.blind_models import untrained_run
from tests.conftest import make_picture as made_picture

from tintype.blind import Wanted, make_picture, write_blind
from tintype.blind_answers import Test as BlindTest
from tintype.errors import DataError, UsageError
from tintype.image.color import rgb_to_lab
from tintype.image.file import write_image
from tintype.image.resize import resize
from tintype.inference.translator import Translator
from tintype.training.rundir import RunDir

HOSTILE = "</script><img src=x onerror=alert(1)>.png"
FEW = Wanted(count=8, practice=2, controls=0.5)


@pytest.fixture(scope="module")
def run(tmp_path_factory, picture_set) -> Path:
    """A run that keeps most of its twelve pictures for testing."""
    settings = ["data.split.test=0.7", "data.split.validation=0.1", f"data.path={picture_set}"]
    return untrained_run(tmp_path_factory.mktemp("runs") / "tiny", "tiny", settings)


@pytest.fixture(scope="module")
def strangers(tmp_path_factory) -> Path:
    """A folder of twenty pictures that the run has not seen, one of them with a name that would break a page."""
    folder = tmp_path_factory.mktemp("strangers")
    for number in range(20):
        path = folder / (HOSTILE if number == 7 else f"{number:02d}.png")
        path.parent.mkdir(exist_ok=True, parents=True)
        write_image(path, made_picture(100 + number))
    return folder


@pytest.fixture(scope="module")
def page(run, strangers, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("page") / "test.html"
    write_blind(run, out, strangers, Wanted(count=16, practice=4, controls=0.5))
    return out


def block(page: Path, name: str) -> str:
    return re.search(rf'<script type="text/plain" id="{name}">([A-Za-z0-9+/=]*)</script>', page.read_text())[1]


def key_of(page: Path) -> dict:
    return json.loads(base64.b64decode(block(page, "key")))


def files_of(page: Path) -> dict[str, bytes]:
    pictures = block(page, "pictures")
    return {name: base64.b64decode(pictures[slice(*place)]) for name, place in key_of(page)["places"].items()}


def chunks_of(png: bytes) -> list[bytes]:
    kinds, at = [], 8
    while at < len(png):
        kinds.append(png[at + 4 : at + 8])
        at += 12 + int.from_bytes(png[at : at + 4])
    return kinds


def test_half_of_the_pictures_are_real_and_controls_are_among_the_others(page):
    kinds = [item["kind"] for item in key_of(page)["test"]["items"]]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        **{"real": 8, "model": 4, "grey copy": 2, "random chroma": 2}
    }
    assert kinds != sorted(kinds, key=kinds.index)  # they do not stand in groups
    assert sorted(kind for _, kind in key_of(page)["practice"]) == ["model", "model", "real", "real"]


def test_no_photograph_is_shown_twice_nor_used_again_after_practice(page):
    test = BlindTest.model_validate(key_of(page)["test"])
    names = [item.name for item in test.items]
    assert len(set(names)) == len(names) == 16
    counted = {item.sha256 for item in test.items}
    practised = [hashlib.sha256(files_of(page)[name]).hexdigest()[:16] for name, _ in key_of(page)["practice"]]
    assert len(set(practised)) == 4 and not counted & set(practised)


def test_every_picture_has_the_same_size_encoder_and_no_metadata(page):
    files = files_of(page)
    assert len(files) == 20
    assert {png[:33] for png in files.values()} == {next(iter(files.values()))[:33]}  # signature and IHDR
    assert len({tuple(dict.fromkeys(chunks_of(png))) for png in files.values()}) == 1
    assert not {kind for png in files.values() for kind in chunks_of(png)} & {
        b"tEXt",
        b"iTXt",
        b"zTXt",
        b"eXIf",
        b"tIME",
    }
    for item in key_of(page)["test"]["items"]:
        assert item["sha256"] == hashlib.sha256(files[item["id"]]).hexdigest()[:16]


def test_the_same_seed_gives_the_same_page_and_another_one_another(run, strangers, tmp_path, page):
    wanted = Wanted(count=16, practice=4, controls=0.5)
    write_blind(run, tmp_path / "again.html", strangers, wanted)
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()
    other = write_blind(run, tmp_path / "other.html", strangers, Wanted(count=16, practice=4, controls=0.5, seed=1))
    assert other.test.digest != key_of(page)["digest"]


def test_the_page_asks_for_nothing_and_names_cannot_break_out(page):
    text = page.read_text()
    assert "onerror" not in text and "alert(" not in text
    assert text.count("</script>") == 3
    assert re.findall(r"https?:|//[a-z]+\.|@import|url\(", re.sub(r"<script type=.*?</script>", "", text)) == []
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'; img-src data:;") and "unsafe" not in policy
    for tag in ("script", "style"):
        inline = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        assert base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode() in policy
    assert not re.search(r'\sstyle="|\son[a-z]+="', re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL))


def test_a_hostile_name_is_in_the_page_and_comes_back_as_it_was(run, strangers, tmp_path):
    made = write_blind(run, tmp_path / "t.html", strangers, Wanted(count=20, practice=0, controls=0))
    assert HOSTILE in {item.name for item in made.test.items}
    text = (tmp_path / "t.html").read_text()
    assert "onerror" not in text and text.count("</script>") == 3
    assert key_of(tmp_path / "t.html")["test"] == made.test.model_dump(mode="json")


def test_pictures_that_the_run_was_trained_on_are_left_out(run, picture_set, tmp_path):
    split = RunDir(run).read_split()[0]
    made = write_blind(run, tmp_path / "t.html", picture_set, Wanted(count=4, practice=2, controls=0))
    assert not {item.name for item in made.test.items} & {*split.train, *split.validation}
    assert any("were left out" in note for note in made.notes)
    with pytest.raises(DataError, match=r"takes 12 pictures .* there are \d; lower --count"):
        write_blind(run, tmp_path / "t.html", picture_set, Wanted(count=12, practice=0))


def test_without_a_folder_the_runs_own_test_pictures_are_shown(run, tmp_path):
    made = write_blind(run, tmp_path / "deep" / "t.html", wanted=Wanted(count=4, practice=2, controls=0.5))
    assert {item.name for item in made.test.items} <= set(RunDir(run).read_split()[0].test)
    assert [item.kind for item in made.test.items].count("grey copy") == 1


def test_copies_and_grey_pictures_are_not_used(run, strangers, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for number in range(4):
        picture = made_picture(100 + number)
        write_image(folder / f"{number}.png", picture)
        write_image(folder / f"{number} mirrored.png", picture[:, ::-1])
        grey = made_picture(300 + number)[..., :1]
        write_image(folder / f"{number} grey.png", np.repeat(grey, 3, axis=-1))
    with pytest.raises(
        DataError, match="takes 5 pictures with colour in their truth, copies not counted, and there are 4"
    ):
        write_blind(run, tmp_path / "t.html", folder, Wanted(count=5, practice=0))
    made = write_blind(run, tmp_path / "t.html", folder, Wanted(count=4, practice=0))
    names = {item.name for item in made.test.items}
    assert len({name[0] for name in names}) == 4 and not any("grey" in name for name in names)


def test_what_is_shown_is_what_it_is_called(run):
    translator = Translator(run)
    truth, donor = (made_picture(n, 64, 64).astype(np.float32) / 255 for n in (1, 2))
    source = translator.codec.source_from(np.moveaxis(truth, -1, 0)[None])[0].transpose(1, 2, 0)
    np.testing.assert_array_equal(make_picture("real", translator, truth), truth)
    np.testing.assert_array_equal(
        make_picture("model", translator, source, strength=0.5), translator.predict(source).render(0.5)
    )
    grey = make_picture("grey copy", translator, source)
    assert grey.shape == (64, 64, 3) and np.ptp(grey, axis=-1).max() == 0
    wrong = rgb_to_lab(np.moveaxis(make_picture("random chroma", translator, source, donor=donor), -1, 0))
    own, other = (rgb_to_lab(np.moveaxis(picture, -1, 0)) for picture in (truth, donor))
    np.testing.assert_allclose(wrong[0], own[0], atol=0.05)
    lowered = np.hypot(*wrong[1:]) < np.hypot(*other[1:]) - 0.1  # where sRGB lacks the colour
    assert lowered.mean() < 0.9
    np.testing.assert_allclose(wrong[1:, ~lowered], other[1:, ~lowered], atol=0.3)


def test_doing_nothing_where_pictures_are_enlarged_is_bicubic(tmp_path, picture_set):
    settings = [
        f"data.path={picture_set}",
        "codec={kind: enlarge}",
        "generator={kind: srresnet, filters: 1, blocks: 1}",
    ]
    translator = Translator(untrained_run(tmp_path / "run", "tiny", settings))
    source = made_picture(3, 16, 16).astype(np.float32) / 255
    shown = make_picture("identity", translator, source)
    np.testing.assert_array_equal(shown, np.clip(resize(source, 64, 64, "cubic"), 0, 1))
    np.testing.assert_allclose(make_picture("model", translator, source), shown, atol=1e-5)  # it is not trained yet


@pytest.mark.parametrize(
    "wanted",
    [
        *(Wanted(count=1), Wanted(count=10**6), Wanted(practice=-1), Wanted(controls=1), Wanted(controls=float("nan"))),
        *(Wanted(exposure=0), Wanted(exposure=float("inf")), Wanted(seed=-1), Wanted(strength=-1)),
    ],
)
def test_what_cannot_be_wanted_is_refused_before_anything_is_written(wanted, run, strangers, tmp_path):
    with pytest.raises(UsageError):
        write_blind(run, tmp_path / "t.html", strangers, wanted)
    assert list(tmp_path.iterdir()) == []


def test_without_pairs_real_ones_are_of_the_domain_that_is_translated_to(picture_set, tmp_path):
    for domain, first in (("trainA", 100), ("trainB", 200), ("testA", 300), ("testB", 400)):
        (tmp_path / "set" / domain).mkdir(parents=True)
        for number in range(6):
            write_image(tmp_path / "set" / domain / f"{number}.png", made_picture(first + number))
    small = [f"data.path={tmp_path / 'set'}", "data.size=32", "data.load_size=null", "evaluation.size=null"]
    small += ["generator.filters=2", "generator.blocks=1", "data.split.validation=0"]
    run = untrained_run(tmp_path / "run", "faces-cartoons-small", small)
    for direction, real in (("ab", "B/"), ("ba", "A/")):
        made = write_blind(run, tmp_path / "t.html", wanted=Wanted(8, 2, 0.3), direction=direction)
        kinds = [item.kind for item in made.test.items]
        assert (kinds.count("real"), kinds.count("model"), kinds.count("identity")) == (4, 3, 1)
        assert {item.name[:2] for item in made.test.items if item.kind == "real"} == {real}
        assert {item.name[:2] for item in made.test.items if item.kind != "real"} == {"A/", "B/"} - {real}
