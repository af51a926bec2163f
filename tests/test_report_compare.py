"""Which runs the report sets against each other, by how much they differ, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from tintype.metrics.interval import bootstrap_interval
from tintype.report_compare import (
    MAX_DIFFERING,
    contests,
    differing,
    entries_of,
    folds_of,
    groups_of,
    network_refusals,
    ranked,
    refusals,
    same_pictures,
)
from tintype.report_pictures import Budget, embed
from tintype.report_run import Part, Picture, Run
from tintype.report_scores import PanelEntry, Realism, Scores


def a_run(tmp_path, name, decibels, *, protocol=None, settings=None, direction="", reference="grey copy", panels=()):
    """A run whose model reached these PSNRs, by picture; a name that begins with "grey" has a grey truth."""
    figures = [
        {"name": picture, "coloured": not picture.startswith("grey"), "model": {"psnr": value, "ssim": 0.9}}
        for picture, value in decibels.items()
    ]
    mean = sum(decibels.values()) / len(decibels)
    scores = Scores.model_validate(
        {
            "protocol": {"size": 64} if protocol is None else protocol,
            "reference": reference,
            "rows": [{"name": "model", "strength": 1.0, "psnr": {"mean": mean}}],
            "per_picture": figures,
        }
    )
    run = Run(tmp_path / name, settings=settings or {}, split={"digest": "one"})
    shown = [Picture(one, "data:,", PanelEntry(kind="best", name=one, file="x.png")) for one in panels]
    run.parts = [Part(direction, scores, shown, [])]
    return run


def test_differences_are_taken_picture_by_picture_over_those_that_both_judged(tmp_path):
    ours = {f"{i}.png": 20.0 + i % 3 for i in range(12)} | {"only.png": 99.0, "grey.png": 99.0}
    theirs = {f"{i}.png": 25.0 + i % 3 + 0.1 * i for i in range(12)} | {"grey.png": 20.0}
    runs = [a_run(tmp_path, "ours", ours), a_run(tmp_path, "theirs", {**theirs, "great.png": 300.0})]
    (contest,) = contests(groups_of(entries_of(runs))[0])
    assert (contest.row, contest.best.name) == ("model", "theirs")
    (difference,) = contest.differences
    expected = bootstrap_interval(sorted(ours[f"{i}.png"] - theirs[f"{i}.png"] for i in range(12)))
    assert difference.pictures == 12, "neither the pictures of one alone nor those whose truth is grey"
    assert difference.interval.mean == pytest.approx(expected.mean)
    assert difference.word == "behind"


def test_runs_that_chance_can_explain_are_undecided(tmp_path):
    noise = np.random.default_rng(0)
    runs = [a_run(tmp_path, name, {f"{i}.png": 25 + noise.normal() for i in range(40)}) for name in ("one", "two")]
    assert contests(groups_of(entries_of(runs))[0])[0].differences[0].word == "undecided"


def test_without_a_picture_in_common_nothing_is_said(tmp_path):
    runs = [a_run(tmp_path, "one", {"a.png": 20.0}), a_run(tmp_path, "two", {"b.png": 30.0})]
    (difference,) = contests(groups_of(entries_of(runs))[0])[0].differences
    assert (difference.pictures, difference.interval, difference.word) == (0, None, "no picture in common")


def test_where_protocols_differ_the_first_difference_is_named(tmp_path):
    protocols = [{"size": 64, "split_digest": "a", "tintype": "1"}, {"size": 64, "split_digest": "b", "tintype": "2"}]
    runs = [a_run(tmp_path, f"run{i}", {"a.png": 20.0}, protocol=protocol) for i, protocol in enumerate(protocols)]
    groups = groups_of(entries_of(runs))
    assert len(groups) == 2
    (sentence,) = refusals(groups)
    assert sentence.startswith("run0 and run1 were scored under different protocols")
    assert "split digest: a and b" in sentence and "must not be compared" in sentence
    assert all(contests(group) == [] for group in groups)


def test_versions_of_the_program_and_names_of_directions_do_not_matter(tmp_path):
    protocols = [{"size": 64, "tintype": "1"}, {"size": 64, "tintype": "2", "direction": "ab"}]
    runs = [a_run(tmp_path, f"run{i}", {"a.png": 20.0}, protocol=protocol) for i, protocol in enumerate(protocols)]
    runs[1].parts = [Part("ab", runs[1].parts[0].scores, [], [])]
    assert refusals(groups_of(entries_of(runs))) == []


def test_the_settings_in_which_runs_differ_are_found(tmp_path):
    shared = {"data.size": "64", "name": "x"}
    many = {f"data.augment.a{i}": str(i) for i in range(20)}
    runs = [
        a_run(tmp_path, "one", {"a": 1.0}, settings=shared | {"name": "one", "optimiser.lr": "0.1"}),
        a_run(tmp_path, "two", {"a": 1.0}, settings=shared | {"name": "two", "optimiser.lr": "0.2", **many}),
    ]
    one, two = differing(runs)
    assert one == [("optimiser.lr", "0.1")]
    assert two[0] == ("optimiser.lr", "0.2") and len(two) == MAX_DIFFERING


def test_runs_are_ranked_by_their_scores_and_unscored_ones_come_last(tmp_path):
    runs = [Run(tmp_path / "none"), *(a_run(tmp_path, str(v), {"a": v}) for v in (20.0, 30.0, 25.0))]
    assert ranked(runs) == [3, 4, 2, 1]


def test_the_same_pictures_of_several_runs_are_found(tmp_path):
    runs = [
        a_run(tmp_path, "one", {"a": 1.0}, panels=["m31", "m42"]),
        a_run(tmp_path, "two", {"a": 1.0}, panels=["m42", "m51"]),
        a_run(tmp_path, "three", {"a": 1.0}, panels=["m42", "m31"]),
    ]
    other = a_run(tmp_path, "other set", {"a": 1.0}, panels=["m42"])
    other.split = {"digest": "two"}
    found = same_pictures([*runs, other])
    assert [(name, [number for number, _ in panels]) for _, name, panels in found] == [
        ("m42", [1, 2, 3]),
        ("m31", [1, 3]),
    ]


@pytest.mark.parametrize(
    ("settings", "folds"),
    [
        ([{"data.split.folds": "5", "data.split.fold": str(i)} for i in (0, 2, 1)], [0, 2, 1]),
        ([{"data.split.folds": "5", "data.split.fold": "0"}] * 2, None),
        ([{"data.split.folds": "5", "data.split.fold": str(i), "optimiser.lr": str(i)} for i in (0, 1)], None),
        ([{"data.split.folds": "1", "data.split.fold": str(i)} for i in (0, 1)], None),
        ([{"data.split.folds": "x", "data.split.fold": str(i)} for i in (0, 1)], None),
        ([{"data.split.folds": "2", "data.split.fold": "y"}, {"data.split.folds": "2", "data.split.fold": "1"}], None),
        ([{}, {}], None),
    ],
)
def test_folds_of_one_recipe_are_recognised(tmp_path, settings, folds):
    runs = [a_run(tmp_path, str(i), {"a": 1.0}, settings=one) for i, one in enumerate(settings)]
    assert folds_of(runs) == folds


def test_pictures_beyond_the_budget_are_left_out_in_words(tmp_path):
    from tests.test_report import png

    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png())
    budget = Budget(len(png()) + 1)
    assert embed(tmp_path, "a.png", budget).uri
    refused = embed(tmp_path, "b.png", budget)
    assert refused.uri is None and "left out" in refused.lack


def test_entries_of_a_protocol_that_figures_do_not_depend_on_are_no_difference(tmp_path):
    protocols = [{"size": 64, "scores": "1", "strength": "a"}, {"size": 64, "scores": "2", "lpips": "alex"}]
    runs = [a_run(tmp_path, f"run{i}", {"a.png": 20.0}, protocol=protocol) for i, protocol in enumerate(protocols)]
    assert len(groups_of(entries_of(runs))) == 1
    assert network_refusals(entries_of(runs)) == []


def test_figures_of_different_networks_are_not_compared_though_the_others_are(tmp_path):
    runs = [
        a_run(tmp_path, name, {"a.png": 20.0}, protocol={"lpips": lpips})
        for name, lpips in (("one", "alex 1"), ("two", "alex 1"), ("three", "vgg 2"))
    ]
    for run, features in zip(runs, ("caltech", "inception", "inception"), strict=True):
        run.parts[0].scores.realism = Realism(protocol=features)
    assert len(groups_of(entries_of(runs))) == 1
    assert network_refusals(entries_of(runs)) == [
        "KID of one and two is by different networks (caltech; inception): it must not be compared.",
        "LPIPS of one and three is by different networks (alex 1; vgg 2): it must not be compared.",
    ]


def test_another_run_is_no_baseline_in_warnings_and_summary():
    interval = {"mean": 0.0}
    rows = [("model", 1.0, 20.0), ("grey copy", None, 21.0), ("run l1", 1.0, 22.0)]
    scores = Scores.model_validate(
        {"rows": [{"name": n, "strength": s, "psnr": {**interval, "mean": p}} for n, s, p in rows]}
    )
    assert scores.warnings == [
        "Grey copy (21.00 dB) has a higher PSNR than the model, strength 1 (20.00 dB).",
        "Another run, l1 (22.00 dB), has a higher PSNR than the model, strength 1 (20.00 dB).",
    ]
    assert [row.name for row in scores.summary_rows] == ["model", "grey copy"]
    assert scores.beaten_by_a_baseline(scores.rows[0])
    scores.rows[1].psnr.mean = 19.0
    assert not scores.beaten_by_a_baseline(scores.rows[0])
