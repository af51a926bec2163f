"""What people write, on the command line and in files, becomes a definition or one line that names the field."""

from __future__ import annotations

import pytest

from tintype.errors import RecipeError, UsageError
from tintype.sweep.definition import Range, read_definition, read_range
from tintype.sweep.points import grid_points


def test_commas_make_lists_and_brackets_protect_them():
    words = ["optimiser.lr=1e-4,2e-3", "optimiser.betas=[0.5, 0.9],[0.9,0.99]", "training.steps=10", "training.seed=3,"]
    definition = read_definition("tiny", words)
    assert definition.grid == {
        "optimiser.lr": [1e-4, 2e-3],
        "optimiser.betas": [[0.5, 0.9], [0.9, 0.99]],
        "training.seed": [3],
    }
    assert definition.overrides == {"training.steps": 10}


def test_a_range_is_logarithmic_from_a_factor_of_ten_and_whole_where_its_ends_are():
    assert read_range("a", "1e-5..1e-2") == Range(low=1e-5, high=1e-2, whole=False)
    assert str(read_range("a", "1e-5..1e-2")) == "1e-05 to 0.01, logarithmic"
    assert str(read_range("a", "8..64")) == "8 to 64, whole numbers, linear"
    assert str(read_range("a", "0.0..0.9")) == "0 to 0.9, linear"


def test_lists_beside_a_range_are_choices_for_tpe():
    definition = read_definition("tiny", ["optimiser.lr=1e-5..1e-2", "training.batch_size=1,4"])
    assert definition.space == {"optimiser.lr": "1e-5..1e-2", "training.batch_size": [1, 4]}
    assert read_definition("tiny", ["training.batch_size=1,4"], "tpe").space == {"training.batch_size": [1, 4]}


@pytest.mark.parametrize(
    ("words", "search", "complaint"),
    [
        (["optimiser.lr"], None, "a setting is written section.field=value"),
        (["optimiser.lr=1e-2..1e-5"], None, "space.optimiser.lr: 1e-2..1e-5 is empty"),
        (["optimiser.lr=1e-5..1e-2"], "grid", "--search grid has no use for ranges"),
        ([], "tpe", "--search tpe needs ranges or lists"),
        (["optimiser.betas=[1,"], None, "not valid YAML"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(words, search, complaint):
    with pytest.raises(UsageError) as caught:
        read_definition("tiny", words, search)
    assert complaint in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("recipe: tiny\ngird: {a: [1]}", "unknown field gird"),
        ("recipe: tiny\ngrid: {training.seed: 1}", "grid.training.seed: got 1"),
        ("recipe: tiny\ngrid: {training.seed: []}", "grid.training.seed has no values"),
        ("recipe: tiny\ngrid: {training.seed: [0]}\npoints: [{training.seed: 1}]", "stands in grid and in points"),
        ("recipe: tiny\npoints: [{training.seed: 1}, {optimiser.lr: 1}]", "number 2 has other fields"),
        ("recipe: tiny\nthen: {steps: 4, epochs: 5}", "then: give the new length as steps or as epochs"),
        (
            "recipe: tiny\nthen: {where: {optimiser.lr: 1}, steps: 50}",
            "then.where.optimiser.lr: only fields that are tried",
        ),
        ("recipe: tiny\nspace: {optimiser.lr: fast}", "space.optimiser.lr: got 'fast', needed a range"),
        ("recipe: {}", "recipe: got {}"),
        ("recipe: [", "not valid YAML"),
    ],
)
def test_a_file_that_does_not_hold_together_is_refused_in_one_line(text, complaint, tmp_path):
    file = tmp_path / "experiment.yaml"
    file.write_text(text)
    with pytest.raises(RecipeError) as caught:
        read_definition(str(file))
    assert complaint in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(file))


def test_the_command_line_changes_what_a_file_says(tmp_path):
    file = tmp_path / "experiment.yaml"
    file.write_text(
        "recipe: tiny\noverrides: {training.steps: 10}\ngrid: {training.seed: [0, 1], optimiser.lr: [1.0e-3]}\n"
    )
    definition = read_definition(str(file), ["training.seed=7", "optimiser.lr=1e-4,1e-5", "training.device=cpu"])
    assert definition.grid == {"training.seed": [7], "optimiser.lr": [1e-4, 1e-5]}
    assert definition.overrides == {"training.steps": 10, "training.device": "cpu"}


def test_a_recipe_beside_the_file_is_found(tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: tiny\nname: mine\n")
    (tmp_path / "experiment.yaml").write_text("recipe: mine.yaml\ngrid: {training.seed: [0]}\n")
    assert grid_points(read_definition(str(tmp_path / "experiment.yaml")))[0].recipe.name == "mine"


def test_whole_recipes_are_tried_beside_each_other(tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: tiny\nname: mine\n")
    (tmp_path / "experiment.yaml").write_text("recipe: tiny\ngrid: {recipe: [tiny, mine.yaml], training.seed: [0]}\n")
    points = grid_points(read_definition(str(tmp_path / "experiment.yaml"), ["training.steps=3"]))
    assert [point.recipe.name for point in points] == ["tiny", "mine"]
    assert points[0].name == "recipe=tiny,seed=0"
    assert {point.recipe.training.steps for point in points} == {3}
    assert grid_points(read_definition("tiny", ["recipe=hubble-lab"]))[0].recipe.name == "hubble-lab"


def test_points_are_resolved_named_and_never_the_same_twice():
    points = grid_points(read_definition("tiny", ["optimiser.lr=1e-3,0.001,2e-2", "training.seed=0,1"]))
    assert [point.name for point in points] == [
        "lr=0.001,seed=0",
        "lr=0.001,seed=1",
        "lr=0.02,seed=0",
        "lr=0.02,seed=1",
    ]
    assert points[2].recipe.optimiser.lr == 2e-2 and points[3].recipe.training.seed == 1


def test_names_are_safe_for_files_and_differ_all_the_same():
    points = grid_points(read_definition("tiny", ["data.path=a/b,a:b,../../c"]))
    names = [point.name for point in points]
    assert len(set(names)) == 3
    assert not any("/" in name or name.startswith(".") for name in names)


def test_paired_values_are_crossed_with_the_grid_and_a_longer_trial_follows_its_parent(tmp_path):
    file = tmp_path / "experiment.yaml"
    file.write_text(
        "recipe: tiny\ngrid: {training.seed: [0, 1]}\n"
        "points: [{training.batch_size: 1, optimiser.lr: 2.0e-4}, {training.batch_size: 4, optimiser.lr: 2.0e-3}]\n"
        "then: {where: {training.batch_size: 4}, steps: 80}\n"
    )
    names = [point.name for point in grid_points(read_definition(str(file)))]
    assert names[:3] == [
        "batch_size=1,lr=0.0002,seed=0",
        "batch_size=4,lr=0.002,seed=0",
        "batch_size=4,lr=0.002,seed=0,steps=80",
    ]
    assert len(names) == 6


def test_a_length_that_is_no_longer_is_refused(tmp_path):
    file = tmp_path / "experiment.yaml"
    file.write_text("recipe: tiny\ngrid: {training.seed: [0]}\nthen: {steps: 40}\n")
    with pytest.raises(RecipeError, match=r"then\.steps=40 is not above 40"):
        grid_points(read_definition(str(file)))
