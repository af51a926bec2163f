"""The table: sorted by validation, complete, and readable by programs and people."""

from __future__ import annotations

import csv
import json

import pytest

from tintype.recipe import load_recipe
from tintype.sweep.progress import progress_line
from tintype.sweep.results import Results, TrialResult, as_markdown, write_results
from tintype.sweep.trial import (
    EventReader,
    Events,
    final_score,
    minimised,
    read_scores,
    score_name,
    validation_score,
)


def trial(name, validation, state="complete", test=19.0, **values):
    scores = {"psnr": test, "grey_copy_psnr": 27.0} if state == "complete" else {}
    return TrialResult(name, values, state, f"trials/{name}", scores, validation, 60.0, 10)


def table(*trials, minimise=False, fields=("training.seed",)):
    return Results(
        "tiny", "Title", "A note.", "ciede2000" if minimise else "psnr", minimise, list(fields), list(trials)
    )


def test_rows_are_sorted_by_validation_whatever_the_test_says():
    rows = [trial("low", 18.0, test=30.0), trial("high", 19.0, test=10.0), trial("none", None)]
    assert [row.name for row in table(*rows).ranked()] == ["high", "low", "none"]
    assert [row.name for row in table(*rows, minimise=True).ranked()] == ["low", "high", "none"]


def test_what_did_not_finish_comes_last_however_well_it_stood():
    rows = [trial("failed", None, "failed"), trial("pruned", 25.0, "pruned"), trial("done", 18.0)]
    assert [row.name for row in table(*rows).ranked()] == ["done", "pruned", "failed"]


def test_means_over_seeds_stand_beside_their_range():
    rows = [
        TrialResult(
            f"{rate}-{seed}", {"optimiser.lr": rate, "training.seed": seed}, "complete", "", {"psnr": psnr}, psnr
        )
        for rate, seed, psnr in ((0.1, 0, 10.0), (0.1, 1, 12.0), (0.2, 0, 20.0))
    ]
    text = as_markdown(table(*rows, fields=("optimiser.lr", "training.seed")))
    assert "| 0.1 | 2 | 11.00 | 11.00 | 10.00 | 12.00 |" in text
    assert "| 0.2 | 1 | 20.00 | 20.00 | 20.00 | 20.00 |" in text


def test_the_three_forms_agree(tmp_path):
    write_results(
        table(trial("a,b|c", 18.0, **{"training.seed": 0}), trial("d", 19.0, **{"training.seed": 1})), tmp_path
    )
    known = json.loads((tmp_path / "results.json").read_text())
    rows = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == [row["name"] for row in known["trials"]] == ["d", "a,b|c"]
    assert [float(row["validation_psnr"]) for row in rows] == [19.0, 18.0]
    assert known["score"] == "validation psnr" and known["fields"] == ["training.seed"]
    assert (tmp_path / "results.md").read_text().startswith("# Title\n\nA note.\n")


@pytest.mark.parametrize(
    ("settings", "scores", "expected"),
    [
        ([], [{"psnr": 20.0}, {"psnr": 22.0}, {"psnr": 21.0}], 22.0),
        (["evaluation.best_by=last"], [{"psnr": 22.0}, {"psnr": 21.0}], 21.0),
        (["evaluation.best_by=ciede2000"], [{"psnr": 22.0, "ciede2000": 5.0}, {"psnr": 21.0, "ciede2000": 6.0}], 5.0),
        ([], [], None),
    ],
)
def test_the_score_of_a_run_is_that_of_the_network_that_it_ships(settings, scores, expected):
    assert final_score(load_recipe("tiny", settings), Events(dict(enumerate(scores)))) == expected


def test_without_pairs_both_cycles_are_the_score():
    recipe = load_recipe("faces-cartoons-small")
    assert validation_score(recipe, {"cycle_ab_psnr": 20.0, "cycle_ba_psnr": 22.0, "change_ab_psnr": 9.0}) == 21.0
    assert validation_score(recipe, {"change_ab_psnr": 9.0}) is None


def test_pictures_from_noise_are_ranked_by_kid_and_shown_beside_real_ones(tmp_path):
    recipe = load_recipe("fashion-gan")
    events = Events({1: {"kid": 0.004}, 2: {"kid": 0.005, "class_accuracy": 0.9}})
    assert (score_name(recipe), final_score(recipe, events)) == ("kid", 0.005)
    row = {"precision": 0.6, "recall": 0.5, "accuracy": None, "covered": 10, "copies": 0.01}
    samples = [{"kid": {"mean": 0.00471}, **row}, {"kid": {"mean": -0.000001}, **row}]
    judged = {"discriminator": {"accuracy": 0.56}, "discriminator_in_training": {"real": 0.58, "fake": 0.61}}
    (tmp_path / "scores.json").write_text(json.dumps({"samples": samples, **judged}))
    scores = read_scores(tmp_path, recipe)
    rows = [
        TrialResult(f"seed={seed}", {"training.seed": seed}, "complete", "", scores, kid)
        for seed, kid in enumerate((0.005, 0.0041))
    ]
    results = Results("fashion-gan", "", "", "kid", minimised("kid"), ["training.seed"], rows)
    text = as_markdown(results)
    head, _, first, *_ = [line for line in text.splitlines() if line.startswith("|")]
    cells = dict(zip(head.split(" | "), first.split(" | "), strict=True))
    assert cells["validation KID x 1000"] == "4.10"
    assert (cells["KID x 1000"], cells["that of real pictures"]) == ("4.71", "0.00")
    assert (cells["classes covered"], cells["in training: on real"]) == ("10", "0.580")
    assert "of the class asked for" not in cells
    assert "test KID x 1000 4.71 (real pictures: 0.00)" in progress_line(results, "seed=0", 2)


def test_damaged_lines_of_a_journal_and_missing_scores_cost_nothing_else(tmp_path):
    reader = EventReader(tmp_path / "events.jsonl")
    assert reader.read().validation == {}
    good = json.dumps({"event": "validation", "step": 4, "scores": {"psnr": 20.0}})
    (tmp_path / "events.jsonl").write_text(f'{{"event": "val\n[]\n{good}\n{{"event": "end", "step": 5}}\n')
    assert reader.read().validation == {4: {"psnr": 20.0}} and reader.read().step == 5
    assert read_scores(tmp_path, load_recipe("tiny")) == {}
