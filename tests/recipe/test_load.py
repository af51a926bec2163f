from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tintype.errors import RecipeError
from tintype.recipe import Recipe, dump_recipe, load_recipe, preset_names, recipe_fields
from tintype.recipe.data import ColourData
from tintype.recipe.networks import UNetSpec
from tintype.recipe.schema import LabCodec, TrainingSpec


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_survives_being_written_out_and_read_again(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    file = tmp_path / "recipe.yaml"
    file.write_text(dump_recipe(recipe))
    assert load_recipe(file) == recipe
    assert load_recipe(file).digest == recipe.digest


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_called_what_its_file_is_called_and_says_what_it_is_for(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description.endswith(".")


def test_overrides_reach_nested_fields_and_the_last_one_wins() -> None:
    recipe = load_recipe("tiny", ["optimiser.lr=1e-3", "optimiser.lr=2e-4", "data.augment.flip=false"])
    assert recipe.optimiser.lr == 2e-4
    assert not recipe.data.augment.flip
    assert recipe.data.augment.quarter_turns == load_recipe("tiny").data.augment.quarter_turns


def test_giving_the_length_in_epochs_replaces_steps() -> None:
    training = load_recipe("tiny", ["training.epochs=3"]).training
    assert (training.steps, training.epochs) == (None, 3)
    assert load_recipe("tiny", ["training.steps=3", "training.epochs=null"]).training.steps == 3


def test_extends_takes_the_rest_from_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("extends: tiny\nname: base\noptimiser: {lr: 0.5}\n")
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\nname: mine\ntraining: {seed: 7}\n")
    recipe = load_recipe(tmp_path / "mine.yaml")
    assert (recipe.name, recipe.optimiser.lr, recipe.training.seed) == ("mine", 0.5, 7)
    assert recipe.codec == load_recipe("tiny").codec


def test_another_kind_of_section_starts_afresh() -> None:
    recipe = load_recipe("tiny", ["codec={kind: rgb, source: grey}"])
    assert recipe.codec.kind == "rgb"
    assert recipe.output_stride == 1


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.stepz=3", "unknown field training.stepz; did you mean training.steps?"),
        ("method.lambda_cycle=3", "unknown field method.lambda_cycle, which is for method.kind=cyclegan or unit"),
        ("lambda_l1=3", "unknown field lambda_l1; did you mean method.lambda_l1?"),
        ("optimiser.lr=fast", "optimiser.lr: got 'fast', input should be a valid number"),
        ("optimiser.lr=-1", "optimiser.lr: got -1, input should be greater than 0"),
        ("optimiser.lr=.inf", "optimiser.lr: got inf"),
        ("data.kind=movies", "data.kind: got 'movies', needed 'colour', 'folders', 'side_by_side'"),
        ("generator.norm=group", "generator.norm: got 'group', needed 'batch', 'instance' or 'none'"),
        ("data.size=36", "data.size (36) must be a multiple of 8"),
        ("codec.chroma_size=12", "codec.chroma_size (12) must be data.size (32) divided by a power of two"),
        ("codec.chroma_size=4", "leaves the decoder of 3 levels nothing to do"),
        ("codec={kind: rgb}", "needs pairs"),
        ("data.size=8", "data.size: got 8"),
        ("data.load_size=16", "load_size (16) must be at least size (32)"),
        ("data.split.validation=0.9", "nothing is left to train on"),
        ("data.split={folds: 3, fold: 3}", "fold (3) must be below folds (3)"),
        ("method={l1_steps: 2, l1_epochs: 1}", "give the stage of L1 alone as l1_steps or as l1_epochs"),
        ("method={l1_steps: 2, lambda_l1: 0}", "the stage of L1 alone would have nothing to learn from"),
        (
            "codec={kind: enlarge}",
            "codec.kind=enlarge and generator.kind=srresnet belong together, got enlarge and unet",
        ),
        ("generator={kind: srresnet}", "belong together, got lab and srresnet"),
        ("method.lambda_perceptual=1", "compares colour pictures, which codec.kind=lab does not make"),
        ("optimiser.decay={start: 5, end: 3}", "decay.end (3) must lie after decay.start (5)"),
        ("training", "an override is written section.field=value"),
        ("training.steps=[", "not valid YAML"),
        ("optimiser=3", "optimiser: got 3"),
    ],
)
def test_a_wrong_override_ends_in_one_line_that_names_the_field(override: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("tiny", [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a list", "a recipe is a mapping of sections"),
        ("data: [", "line 1: not valid YAML"),
        ("extends: mine.yaml", "extends itself"),
        ("extends: 3", "extends needs the name of a recipe"),
        ("extends: nowhere", "no such recipe"),
        ("name: x\ndata: {kind: colour}\ncodec: {kind: rgb}\n", "training is missing"),
        ("extends: tiny\nname: Wrong Name\n", "name: got 'Wrong Name'"),
        ("!!python/object/apply:os.system ['true']", "not valid YAML"),
        ("extends: tiny\nmethod: {lambda_l1: 0, lambda_adversarial: 0}", "would have nothing to learn from"),
        ("extends: tiny\ntraining: {steps: null}", "training.steps or as training.epochs"),
    ],
)
def test_a_wrong_file_ends_in_one_line_that_names_it(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(file)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_kind_of_data_keeps_the_fields_that_both_have_in_any_order() -> None:
    kinds = ["codec={kind: rgb, source: grey}", "data.kind=folders"]
    for overrides in ([*kinds, "data.path=ab"], ["data.path=ab", *kinds]):
        data = load_recipe("tiny", overrides).data
        assert (data.kind, data.path, data.size) == ("folders", "ab", 32)


@pytest.mark.parametrize("path", ["2024", "my pictures #2", "a: b", "1e3", "null"])
def test_a_path_is_taken_as_it_stands(path: str) -> None:
    assert load_recipe("tiny", [f"data.path={path}"]).data.path == path


def test_a_recipe_made_in_python_can_be_changed() -> None:
    recipe = Recipe(
        name="mine",
        data=ColourData(size=32),
        codec=LabCodec(),
        generator=UNetSpec(levels=3),
        training=TrainingSpec(steps=3),
    )
    assert load_recipe(recipe, ["training.epochs=2"]).training.epochs == 2


def test_a_misspelt_recipe_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(RecipeError, match="did you mean hubble-lab"):
        load_recipe("huble-lab")


def test_a_recipe_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"gone\.yaml: cannot be read"):
        load_recipe(tmp_path / "gone.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="not a text file"):
        load_recipe(tmp_path / "binary.yaml")


@given(st.text(max_size=40))
def test_any_text_as_an_override_gives_a_recipe_or_a_recipe_error(text: str) -> None:
    try:
        load_recipe("tiny", [text])
    except RecipeError as error:
        assert str(error)


def test_promised_fields_keep_their_names() -> None:
    promised = {"data.path", "data.path_b", "data.size", "training.steps", "training.epochs", "training.batch_size"}
    promised |= {"training.seed", "optimiser.lr", "method.lambda_l1", "generator.filters"}
    assert promised <= set(recipe_fields())


def test_every_field_of_the_schema_is_listed_once() -> None:
    fields = recipe_fields()
    assert len(fields) == len(set(fields))
    written = yaml.safe_load(dump_recipe(load_recipe("tiny")))
    leaves = {f"{section}.{field}" for section, value in written.items() if isinstance(value, dict) for field in value}
    sections = {field.rpartition(".")[0] for field in fields}
    assert leaves <= set(fields) | sections


def test_vividness_is_refused_where_no_chroma_is_predicted() -> None:
    with pytest.raises(RecipeError, match=r"method\.vividness weighs pixels by chroma, which codec\.kind=rgb"):
        load_recipe("hubble-pix2pix", ["method.vividness=2"])
    with pytest.raises(RecipeError, match=r"inference\.boldness is a factor on chroma, which codec\.kind=rgb"):
        load_recipe("hubble-pix2pix", ["inference.boldness=2"])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.kind=colour"], "generator.kind=classifier needs data.kind=labelled, got colour"),
        (["generator={kind: unet}"], "data.kind=labelled needs generator.kind=classifier, got unet"),
        (["method.kind=pix2pix"], "data.kind=labelled needs method.kind=classifier, got pix2pix"),
        (["codec={kind: lab}"], "use codec.kind=rgb with codec.source=rgb, or gray"),
        (["codec.source=grey"], "use codec.kind=rgb with codec.source=rgb, or gray"),
        (["codec={kind: gray}"], "method.foreign_chroma needs pictures in colour"),
        (["evaluation.best_by=psnr"], "evaluation.best_by=psnr is no score of method.kind=classifier"),
        (["evaluation.size=32"], "inference.* and evaluation.size are for translations"),
        (["inference.orientations=2"], "inference.* and evaluation.size are for translations"),
        (["generator.classes=1"], "generator.classes: got 1"),
    ],
)
def test_a_classifier_has_parts_of_its_own(overrides: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)):
        load_recipe("caltech101-classifier", overrides)


def test_accuracy_is_no_score_of_a_translation() -> None:
    with pytest.raises(RecipeError, match=r"evaluation\.best_by=accuracy is no score of method\.kind=pix2pix"):
        load_recipe("tiny", ["evaluation.best_by=accuracy"])
