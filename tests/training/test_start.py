"""Fine-tuning from earlier models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tintype.console import Reporter
from tintype.errors import ModelFileError, RecipeError, UsageError
from tintype.inference import bundled
from tintype.inference.modelfile import read_safetensors, write_safetensors
from tintype.inference.reference import import_reference
from tintype.methods import Method, build_method
from tintype.networks import build_generator
from tintype.recipe import Recipe, load_recipe
from tintype.training import train
from tintype.training.cards import make_card
from tintype.training.start import start_from

REFERENCE = Path(__file__).parents[1] / "data/reference_checkpoint"
TINY = load_recipe("tiny")
TWO_WAY = load_recipe(
    Recipe.model_validate(
        {
            "name": "two-way",
            "data": {"kind": "colour", "path": "bundled:hubble", "size": 16},
            "codec": {"kind": "rgb", "source": "grey3"},
            "generator": {"kind": "resnet", "filters": 2, "blocks": 1},
            "discriminator": {"kind": "patchgan", "filters": 2, "layers": 1, "norm": "instance"},
            "method": {"kind": "cyclegan"},
            "training": {"steps": 1},
        }
    )
)


def save(path: Path, recipe: Recipe, seed: int, direction: str = "ab") -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    network = build_generator(recipe, direction)
    state = network.state_dict()
    path.parent.mkdir(exist_ok=True)
    write_safetensors(path, {k: v.numpy() for k, v in state.items()}, make_card(recipe, network, 7, direction))
    return state


def started(recipe: Recipe, path: Path | str) -> tuple[Method, list[str]]:
    torch.manual_seed(99)
    recipe = load_recipe(recipe, [f"method.init_from={path}"])
    method = build_method(recipe)
    return method, start_from(method, recipe)


def holds(method: Method, network: str, state: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, state[name]) for name, value in method.networks[network].state_dict().items())


def test_a_generator_starts_with_the_weights_of_a_file(tmp_path: Path) -> None:
    state = save(tmp_path / "model.safetensors", TINY, 1)
    method, notes = started(TINY, tmp_path / "model.safetensors")
    assert holds(method, "generator", state)
    assert notes == [f"generator starts from {tmp_path / 'model.safetensors'}, step 7 of tiny"]


def test_a_generator_starts_with_the_weights_of_a_model_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundled, "FOLDER", tmp_path)
    states = {name: save(tmp_path / f"{name}.safetensors", TINY, seed) for seed, name in enumerate(bundled.BUNDLED)}
    for word, name in (("bundled", "photos"), ("bundled:hubble", "hubble")):
        method, notes = started(TINY, word)
        assert holds(method, "generator", states[name])
        assert notes == [f"generator starts from {tmp_path / name}.safetensors, step 7 of tiny"]
    with pytest.raises(UsageError, match="bundled:cats: no such model comes with Tintype"):
        started(TINY, "bundled:cats")


def test_weights_of_half_precision_are_taken_as_well(tmp_path: Path) -> None:
    state = save(tmp_path / "whole.safetensors", TINY, 1)
    arrays, card = read_safetensors(tmp_path / "whole.safetensors")
    halves = {name: value.astype(np.float16) if value.ndim > 1 else value for name, value in arrays.items()}
    write_safetensors(tmp_path / "half.safetensors", halves, card)
    method, _ = started(TINY, tmp_path / "half.safetensors")
    for name, value in method.networks["generator"].state_dict().items():
        assert value.dtype == state[name].dtype
        torch.testing.assert_close(value, state[name], rtol=1e-3, atol=1e-6)


def test_a_run_of_two_directions_gives_each_generator_its_own(tmp_path: Path) -> None:
    ab = save(tmp_path / "run/model_ab.safetensors", TWO_WAY, 1)
    ba = save(tmp_path / "run/model_ba.safetensors", TWO_WAY, 2, "ba")
    method, notes = started(TWO_WAY, tmp_path / "run")
    assert holds(method, "g_ab", ab)
    assert holds(method, "g_ba", ba)
    assert len(notes) == 2


def test_one_file_starts_the_direction_that_it_was_trained_for_and_the_other_is_named(tmp_path: Path) -> None:
    state = save(tmp_path / "x.safetensors", TWO_WAY, 2, "ba")
    method, notes = started(TWO_WAY, tmp_path / "x.safetensors")
    assert holds(method, "g_ba", state)
    assert not holds(method, "g_ab", state)
    assert any(note.startswith("g_ab starts from random weights") for note in notes)


def test_a_run_of_one_direction_starts_the_way_there(tmp_path: Path) -> None:
    one_way = load_recipe(TWO_WAY, ["method.kind=pix2pix"])
    state = save(tmp_path / "run/model.safetensors", one_way, 3)
    method, _ = started(TWO_WAY, tmp_path / "run")
    assert holds(method, "g_ab", state)


def test_files_whose_names_contradict_their_cards_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "run/model_ab.safetensors", TWO_WAY, 1, "ba")
    with pytest.raises(ModelFileError, match="translates ba, by its card; rename it to model_ba"):
        started(TWO_WAY, tmp_path / "run")


def test_a_recipe_of_one_direction_takes_the_network_that_goes_its_way(tmp_path: Path) -> None:
    save(tmp_path / "run/model_ab.safetensors", TWO_WAY, 1)
    back = save(tmp_path / "run/model_ba.safetensors", TWO_WAY, 2, "ba")
    one_way = load_recipe(TWO_WAY, ["method.kind=pix2pix", "data.kind=folders", "data.direction=ba"])
    assert holds(started(one_way, tmp_path / "run")[0], "generator", back)


def test_weights_of_another_shape_are_refused_with_what_differs(tmp_path: Path) -> None:
    save(tmp_path / "m.safetensors", load_recipe("tiny", ["generator.filters=6"]), 1)
    with pytest.raises(RecipeError, match=r"generator\.filters is 6 there and 4 here; .* with method\.init_from="):
        started(TINY, tmp_path / "m.safetensors")


def test_a_network_without_hints_goes_on_as_one_with_them(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    state = save(path, TINY, 1)
    hinted = load_recipe(TINY, ["data.hints.mean=8"])
    method, notes = started(hinted, path)
    zeros = torch.zeros_like(method.networks["generator"].hints.weight)
    assert holds(method, "generator", {**state, "hints.weight": zeros})
    said = f"generator starts from {path}, step 7 of tiny: it had no hints, and learns from the start what they mean"
    assert notes == [said]
    state = save(path, hinted, 1)
    assert holds(started(hinted, path)[0], "generator", state)
    save(path, load_recipe(TINY, ["generator.filters=6"]), 1)
    with pytest.raises(RecipeError, match=r"generator\.filters is 6 there and 4 here"):
        started(hinted, path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent", None, "no such file or folder"),
        ("notes.txt", b"x", "is neither a run nor"),
        ("model.onnx", b"x", "holds a graph, not weights"),
        ("model.safetensors", b"nonsense", "damaged or no safetensors"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelFileError, match=message) as caught:
        started(TINY, tmp_path / name)
    assert "\n" not in str(caught.value)


def test_an_empty_folder_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="holds no model"):
        started(TINY, tmp_path)


def test_a_run_that_goes_on_needs_what_it_started_from_no_more_and_still_says_it(
    tmp_path: Path, picture_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "m.safetensors"
    save(source, TINY, 1)
    settings = [f"data.path={picture_set}", f"method.init_from={source}", "optimiser.lr=1e-9", "training.ema=0"]
    assert train("tiny", tmp_path / "run", [*settings, "training.steps=1"], reporter=Reporter(quiet=True))
    before, _ = read_safetensors(source)
    after, _ = read_safetensors(tmp_path / "run/model.safetensors")
    weights = [name for name in before if name.endswith("weight") and before[name].ndim == 4]
    assert all(abs(after[name] - before[name]).max() < 1e-6 for name in weights)
    assert "generator starts from" in (tmp_path / "run/events.jsonl").read_text()
    source.unlink()
    said: list[str] = []
    monkeypatch.setattr("tintype.training.conclude", lambda _, notes: said.extend(notes))
    assert train("tiny", tmp_path / "run", [*settings, "training.steps=2"], reporter=Reporter(quiet=True))
    assert [note for note in said if note.startswith(f"generator starts from {source}")]


GENERATORS = {
    "unet": "{filters: 4, levels: 4}",
    "resnet": "{kind: resnet, filters: 2, blocks: 1}",
    "encoder_unet": (
        "{kind: encoder_unet, weights: none, filters: 2, architecture: {model_type: resnet, embedding_size: 2, "
        "hidden_sizes: [2, 4], depths: [1, 1], layer_type: basic}}"
    ),
}


@pytest.mark.parametrize("generator", GENERATORS.values(), ids=GENERATORS.keys())
def test_a_colouriser_takes_the_encoder_of_a_network_that_restored_grey_pictures(
    generator: str, tmp_path: Path
) -> None:
    sizes = ["codec.chroma_size=null", "data.size=32", f"generator={generator}"]
    restoring = load_recipe("tiny", [*sizes, "codec={kind: gray}", "data.damage.mask=0.5", "method.kind=regression"])
    theirs = save(tmp_path / "model.safetensors", restoring, 1)
    method, (note,) = started(load_recipe("tiny", sizes), tmp_path / "model.safetensors")
    ours = method.networks["generator"].state_dict()
    inside = [
        name
        for name in ours
        if name.startswith(tuple(f"{part}." for part in method.networks["generator"].encoder_parts))
    ]
    assert inside
    assert all(torch.equal(ours[name], theirs[name]) for name in inside)
    fresh = [name for name in ours if theirs[name].shape != ours[name].shape]
    assert fresh, "the last layer makes two channels and not one"
    others = len(ours) - len(inside)
    assert f": all of its encoder ({len(inside)} tensors) and {others - len(fresh)} of the decoder's {others}; " in note
    assert f"random still: {fresh[0].rpartition('.')[0]}" in note
    assert "\n" not in note


def test_an_encoder_that_does_not_fit_is_refused_though_parts_of_the_decoder_would(tmp_path: Path) -> None:
    other = load_recipe("tiny", ["codec={kind: rgb, source: grey3}", "codec.source=rgb", "data.kind=folders"])
    save(tmp_path / "m.safetensors", other, 1)
    with pytest.raises(RecipeError, match=r"its weights do not fit the generator: .*codec\.kind is rgb there"):
        started(TINY, tmp_path / "m.safetensors")


def test_training_goes_on_from_an_imported_generator(tmp_path: Path, picture_set: Path) -> None:
    imported = import_reference(REFERENCE, tmp_path / "imported.safetensors").card.recipe
    recipe = load_recipe(
        imported,
        [
            "data.kind=colour",
            f"data.path={picture_set}",
            "data.size=32",
            "data.load_size=null",
            "codec.source=grey3",
            "method.kind=cyclegan",
            f"method.init_from={tmp_path / 'imported.safetensors'}",
            "discriminator.filters=2",
            "optimiser.lr=1e-9",
        ],
    )
    assert train(recipe, tmp_path / "run", reporter=Reporter(quiet=True))
    before, _ = read_safetensors(tmp_path / "imported.safetensors")
    after, card = read_safetensors(tmp_path / "run/model_ab.safetensors")
    assert card.direction == "ab"
    assert all(abs(after[name] - before[name]).max() < 1e-6 for name in before if before[name].ndim == 4)
