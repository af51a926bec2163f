import dataclasses
import json

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from tintype.data.dataset import Pair
from tintype.errors import DataError, UsageError
from tintype.evaluation import (
    Fold,
    PanelChoice,
    RealismBy,
    Scores,
    calibrate_strength,
    choose_panels,
    evaluate,
    evaluate_folds,
    fit_baselines,
    format_scores,
)
from tintype.image.codec import build_codec
from tintype.inference.modelfile import ModelCard
from tintype.inference.translator import Translator
from tintype.metrics import Interval
from tintype.metrics.luma import PSNR_Y
from tintype.metrics.measures import further_measures
from tintype.metrics.scores import require_comparable
from tintype.metrics.verdict import outcome
from tintype.recipe.schema import Recipe

SIDE = 32
LAB = {"kind": "lab"}


class FakeRuntime:
    """Answers one picture after another with the encoded truth, times a factor."""

    name = "fake"

    def __init__(self, codec, targets, factors):
        self.codec, self.targets, self.factors, self.calls = codec, targets, factors, 0

    def __call__(self, x):
        target = np.moveaxis(self.targets[self.calls], -1, 0)[None]
        output = self.factors[self.calls] * self.codec.encode_target(target)
        self.calls += 1
        return np.asarray(output, np.float32)


def colour_pictures(count, seed=0, tint=(0.0, 0.0, 0.0)):
    """Coloured blocks with some grain."""
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.uniform(0.25, 0.65, (count, 4, 4, 3)), np.ones((1, SIDE // 4, SIDE // 4, 1)))
    return list(np.clip(blocks + tint + 0.02 * rng.normal(size=blocks.shape), 0, 1).astype(np.float32))


def grey_pictures(count, seed=9):
    return [np.repeat(picture[..., :1], 3, axis=-1) for picture in colour_pictures(count, seed)]


def make(targets, factors=1.0, codec=LAB, sources=None, **card):
    """A translator that multiplies the true model output by `factors`, and the pictures it is judged on."""
    recipe = Recipe.model_validate(
        {
            "name": "fake",
            "data": {
                "kind": "colour" if codec["kind"] in ("lab", "enlarge") or codec.get("source") == "grey" else "folders",
                "path": "p",
                "size": SIDE,
            },
            "codec": codec,
            "generator": {"kind": "srresnet"} if codec["kind"] == "enlarge" else {"levels": 3, "filters": 1},
            "training": {"steps": 1},
        }
    )
    codec = build_codec(recipe)
    card = ModelCard(
        tintype_version="0",
        recipe=recipe,
        step=1,
        images_seen=1,
        multiple_of=recipe.generator_multiple,
        output_stride=1,
        tiling="exact",
        **card,
    )
    factors = np.broadcast_to(factors, len(targets))
    translator = Translator.from_runtime(FakeRuntime(codec, targets, factors), card)
    if sources is None:
        batches = [codec.source_of(np.moveaxis(target, -1, 0)[None]) for target in targets]
        sources = [np.moveaxis(batch[0], 0, -1) for batch in batches]
    return translator, [Pair(f"{i}.png", s, t) for i, (s, t) in enumerate(zip(sources, targets, strict=True))]


def rows_of(scores):
    return {row.name: row for row in scores.rows}


def test_a_model_that_gives_the_truth_is_better_than_the_best_baseline():
    targets = colour_pictures(8)
    scores = evaluate(*make(targets, baselines=fit_baselines(targets)))
    rows = rows_of(scores)
    assert list(rows) == ["model", "grey copy", "mean chroma", "luminance to chroma"]
    assert rows["model"].psnr.mean > 50
    assert rows["model"].ciede2000.mean < 0.1
    assert rows["model"].colourfulness_ratio == pytest.approx(1, abs=1e-2)
    assert rows["model"].gain.mean == pytest.approx(rows["model"].psnr.mean - rows["grey copy"].psnr.mean)
    best = max(scores.rows[1:], key=lambda row: row.psnr.mean)
    (comparison,) = scores.comparisons
    assert (comparison.baseline, comparison.outcome) == (best.name, "better")
    assert scores.verdict == (
        f"The model is better than the best baseline ({best.name}) by {comparison.difference.mean:.2f} dB "
        f"[{comparison.difference.low:.2f}, {comparison.difference.high:.2f}] on 8 coloured pictures."
    )


def test_the_figures_of_grey_copy_equal_scikit_image():
    targets = colour_pictures(3)
    translator, pictures = make(targets)
    row = rows_of(evaluate(translator, pictures))["grey copy"]
    greys = [np.repeat(picture.source, 3, axis=-1) for picture in pictures]
    pairs = list(zip(greys, targets, strict=True))
    ssim = [
        structural_similarity(
            *pair, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=-1
        )
        for pair in pairs
    ]
    assert row.psnr.mean == pytest.approx(np.mean([peak_signal_noise_ratio(t, g, data_range=1) for g, t in pairs]))
    assert row.ssim.mean == pytest.approx(np.mean(ssim), rel=1e-4)
    differences = [deltaE_ciede2000(rgb2lab(g), rgb2lab(t)).mean() for g, t in pairs]
    assert row.ciede2000.mean == pytest.approx(np.mean(differences), rel=1e-4)
    assert row.colourfulness.mean == pytest.approx(0, abs=1e-4)
    assert row.gain == Interval(0, 0, 0)
    assert row.pooled_gain == 0
    assert row.colourfulness_difference.mean < -10


def test_pooled_gain_is_that_of_the_mean_squared_errors():
    targets = colour_pictures(6)
    translator, pictures = make(targets, factors=[0.9, 0.5, 0.1, 0.3, 0.7, 0.6])
    outputs = [translator(picture.source) for picture in pictures]
    translator.runtime.calls = 0
    row = rows_of(evaluate(translator, pictures))["model"]
    greys = [np.repeat(picture.source, 3, axis=-1) for picture in pictures]
    model_error, grey_error = (np.mean(np.square(np.subtract(made, targets))) for made in (outputs, greys))
    assert row.pooled_gain == pytest.approx(10 * np.log10(grey_error / model_error), rel=1e-4)
    assert row.pooled_gain != pytest.approx(row.gain.mean, rel=1e-2)


def test_a_baseline_that_wins_is_named_with_its_lead():
    targets = colour_pictures(8, tint=(0.2, 0.0, -0.2))
    scores = evaluate(*make(targets, factors=0.0, baselines=fit_baselines(targets)))
    (comparison,) = scores.comparisons
    assert comparison.outcome == "no better"
    assert comparison.baseline in ("mean chroma", "luminance to chroma")
    assert scores.verdict == (
        f"The model is no better than the best baseline: {comparison.baseline} beats it by "
        f"{-comparison.difference.mean:.2f} dB [{-comparison.difference.high:.2f}, {-comparison.difference.low:.2f}] "
        "on 8 coloured pictures."
    )
    assert -comparison.difference.mean > 1


def test_a_model_without_colour_equals_grey_copy_and_is_no_better():
    scores = evaluate(*make(colour_pictures(7), factors=0.0))
    assert scores.verdict == (
        "The model is no better than the best baseline: "
        "its difference from grey copy is 0.00 dB [0.00, 0.00] on 7 coloured pictures."
    )
    assert [row.name for row in scores.rows] == ["model", "grey copy"]
    assert "no constants of its training set" in scores.notes[0]
    assert scores.notes[0] in format_scores(scores)


def test_gains_and_losses_that_balance_leave_it_undecided():
    scores = evaluate(*make(colour_pictures(8), factors=[1.6, -0.5, 0.5, -0.2] * 2))
    (comparison,) = scores.comparisons
    assert comparison.difference.low < 0 < comparison.difference.high
    assert scores.verdict.startswith(
        "It is undecided whether the model beats the best baseline (grey copy): the difference is "
    )
    assert scores.verdict.endswith("on 8 coloured pictures, and the interval includes 0.")


@pytest.mark.parametrize("count", [2, 5])
def test_too_few_pictures_decide_nothing(count):
    scores = evaluate(*make(colour_pictures(count)))
    assert scores.comparisons[0].outcome == "undecided"
    assert scores.comparisons[0].difference.low > 10
    assert scores.verdict.endswith(f"on {count} coloured pictures, fewer than the 6 that a decision takes.")


def test_one_picture_has_figures_but_no_intervals():
    scores = evaluate(*make(colour_pictures(1)))
    assert scores.rows[0].psnr.low is scores.rows[0].psnr.high is None
    assert "on 1 coloured picture, fewer than the 6" in scores.verdict
    assert "[one picture]" in format_scores(scores)
    assert Scores.from_dict(scores.to_dict()) == scores


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.2, 0.6, "better"),
        (-0.2, 0.6, "undecided"),
        (-0.6, -0.2, "no better"),
        (0.001, 0.3, "undecided"),  # would be printed as [0.00, 0.30]
        (-0.3, -0.004, "undecided"),
        (-0.001, 0.004, "no better"),
    ],
)
def test_the_outcome_follows_from_the_interval_as_it_is_printed(low, high, expected):
    assert outcome(Interval((low + high) / 2, low, high), 20) == expected


def test_grey_truth_is_counted_and_judged_apart():
    targets = [*colour_pictures(6), *grey_pictures(2)]
    tinted = [
        *targets[:6],
        *colour_pictures(2, seed=5),
    ]  # what the network answers for the two grey pictures has colour
    translator, pictures = make(tinted)
    pictures = [Pair(p.name, p.source, t) for p, t in zip(pictures, targets, strict=True)]
    scores = evaluate(translator, pictures)
    assert (scores.pictures, scores.coloured, scores.grey) == (8, 6, 2)
    assert scores.grey_pictures.count == 2
    assert scores.grey_pictures.invented_chroma > 5
    assert scores.rows[0].psnr.mean == pytest.approx(np.mean([p.figures["model"].psnr for p in scores.per_picture[:6]]))
    assert scores.grey_pictures.psnr == pytest.approx(
        np.mean([p.figures["model"].psnr for p in scores.per_picture[6:]])
    )
    assert scores.verdict.endswith("on 6 coloured pictures.")
    assert "grey pictures, judged apart: 2, PSNR" in format_scores(scores)


def test_pictures_that_are_all_grey_give_no_verdict():
    scores = evaluate(*make(grey_pictures(3)))
    assert scores.rows == scores.comparisons == scores.dial == ()
    assert scores.verdict == "No verdict: none of the pictures has colour in its truth."
    assert scores.grey_pictures.count == 3
    assert scores.grey_pictures.invented_chroma < 0.1
    assert format_scores(scores).endswith(scores.verdict)
    assert Scores.from_dict(scores.to_dict()) == scores


def test_both_strengths_are_judged_from_one_run_of_the_network():
    translator, pictures = make(colour_pictures(6), factors=2.0, strength=0.5)
    scores = evaluate(translator, pictures)
    assert translator.runtime.calls == 6
    assert [(row.name, row.strength) for row in scores.rows] == [
        ("model", 1.0),
        ("model, calibrated", 0.5),
        ("grey copy", None),
    ]
    assert scores.rows[1].psnr.mean > 50 > scores.rows[0].psnr.mean
    assert scores.verdict.startswith("At strength 1, ")
    assert "; at calibrated strength 0.5, the model is better than the best baseline (grey copy) by " in scores.verdict


def test_the_colour_dial_runs_from_grey_copy_past_the_truth():
    dial = evaluate(*make(colour_pictures(6), factors=2.0)).dial
    assert [point.strength for point in dial] == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5]
    assert dial[0].gain == pytest.approx(0, abs=1e-3)
    assert dial[0].colourfulness_ratio == pytest.approx(0, abs=1e-3)
    assert max(dial, key=lambda point: point.gain).strength == 0.5
    assert dial[2].colourfulness_ratio == pytest.approx(1, abs=1e-2)
    ratios = [point.colourfulness_ratio for point in dial]
    assert ratios == sorted(ratios)


def test_calibration_finds_the_strength_that_undoes_a_factor():
    translator, pictures = make([*colour_pictures(4), *grey_pictures(1)], factors=2.0)
    assert calibrate_strength(translator, pictures) == pytest.approx(0.5)
    assert translator.runtime.calls == 4


def test_calibration_without_evidence_stays_at_one():
    assert calibrate_strength(*make(grey_pictures(2))) == 1.0
    assert calibrate_strength(*make([])) == 1.0
    assert calibrate_strength(*make(colour_pictures(2), factors=0.0)) == 1.0  # all strengths are equally good
    assert calibrate_strength(*make(colour_pictures(2), codec={"kind": "rgb", "source": "grey"})) == 1.0


def test_an_rgb_model_of_grey_sources_has_the_baselines_of_colouring():
    targets = colour_pictures(6)
    constants = fit_baselines(targets, grey="rec601")
    scores = evaluate(*make(targets, codec={"kind": "rgb", "source": "grey"}), baselines=constants)
    assert [row.name for row in scores.rows] == ["model", "grey copy", "mean chroma", "luminance to chroma"]
    assert scores.notes == ()
    assert scores.comparisons[0].outcome == "better"


def test_the_dial_of_a_model_that_redraws_pictures_scales_the_chroma_of_what_it_drew():
    targets = colour_pictures(6)
    darker = [0.6 * target for target in targets]  # the right colours and the wrong luminance
    translator, _ = make(darker, codec={"kind": "rgb", "source": "grey"})
    _, pictures = make(targets, codec={"kind": "rgb", "source": "grey"})
    scores = evaluate(translator, pictures)
    assert translator.runtime.calls == 6
    assert [point.strength for point in scores.dial] == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5]
    lab = [rgb2lab(picture) * (1, 0.5, 0.5) for picture in darker]
    assert all((lab2rgb(one) > 0).all() for one in lab)  # within sRGB, so that the oracle clips nothing
    half = [peak_signal_noise_ratio(t, lab2rgb(one), data_range=1) for t, one in zip(targets, lab, strict=True)]
    copied = [picture.figures["grey copy"].psnr for picture in scores.per_picture]
    assert scores.dial[2].gain == pytest.approx(np.mean(half) - np.mean(copied), abs=1e-3)
    assert scores.dial[0].gain < -1, "its own grey is not that of the source"
    assert scores.dial[0].colourfulness_ratio == pytest.approx(0, abs=1e-3)
    assert scores.dial[4].gain == pytest.approx(scores.rows[0].gain.mean)
    assert "luminance stays" in scores.protocol["strength"]
    assert "predicted chroma" in evaluate(*make(targets)).protocol["strength"]


def test_a_translation_task_is_judged_on_all_pictures_against_identity():
    targets = [*colour_pictures(4), *grey_pictures(3)]
    sources = [np.clip(target + 0.05, 0, 1) for target in targets]
    translator, pictures = make(targets, 0.0, codec={"kind": "rgb"}, sources=sources)
    scores = evaluate(translator, pictures, baselines=fit_baselines(targets))
    assert [row.name for row in scores.rows] == ["model", "identity", "mean colour"]
    assert scores.reference == "identity"
    assert rows_of(scores)["identity"].psnr.mean == pytest.approx(20 * np.log10(20), abs=0.1)
    assert scores.grey_pictures is None
    assert scores.dial == ()
    assert "identity beats it by" in scores.verdict
    assert scores.verdict.endswith("on 7 pictures.")


def test_enlarged_pictures_are_judged_against_bicubic_and_on_luma():
    targets = colour_pictures(7)
    measures = further_measures(SIDE, scale=4)
    protocol = dict(measures.protocol)
    scores = evaluate(*make(targets, codec={"kind": "enlarge"}), measures=measures.by_name, protocol=protocol)
    assert [row.name for row in scores.rows] == ["model", "bicubic", "nearest pixel"]
    assert scores.reference == "bicubic"
    rows = rows_of(scores)
    assert rows["model"].psnr.mean == 100 and rows["bicubic"].psnr.mean < 40
    small = make(targets, codec={"kind": "enlarge"})[1][0].source
    nearest = peak_signal_noise_ratio(targets[0], np.kron(small, np.ones((4, 4, 1), np.float32)), data_range=1)
    assert scores.per_picture[0].figures["nearest pixel"].psnr == pytest.approx(nearest, abs=1e-3)
    lead = rows["model"].more[PSNR_Y].mean - rows["bicubic"].more[PSNR_Y].mean
    assert f"PSNR of Y, model minus bicubic: {lead:.2f} dB" in scores.verdict
    assert scores.protocol["luma"].startswith("Y of BT.601")


def test_a_task_that_makes_grey_pictures_is_judged_in_grey():
    scores = evaluate(*make(colour_pictures(6), codec={"kind": "gray"}))
    assert [row.name for row in scores.rows] == ["model", "identity"]
    assert rows_of(scores)["identity"].psnr.mean > 60  # the source is the grey of the target
    assert rows_of(scores)["model"].colourfulness.mean == pytest.approx(0, abs=1e-4)


def test_scores_survive_json_exactly_in_the_promised_layout():
    targets = [*colour_pictures(6), *grey_pictures(1)]
    protocol = {"size": SIDE, "crop": "centre", "resize_kernel": "lanczos3", "split_digest": "ab12"}
    scores = evaluate(*make(targets, strength=0.8, baselines=fit_baselines(targets)), protocol=protocol)
    data = scores.to_dict()
    text = json.dumps(data, allow_nan=False)
    assert json.loads(text) == data
    assert Scores.from_dict(json.loads(text)) == scores
    assert data["protocol"] | protocol == data["protocol"]
    assert data["protocol"]["coloured_threshold"] == 2.0
    assert set(data["rows"][0]["psnr"]) == {"mean", "low", "high"}
    picture = data["per_picture"][0]
    assert picture["name"] == "0.png"
    assert picture["coloured"] is True
    assert set(picture["grey copy"]) == {"psnr", "ssim", "ciede2000", "colourfulness"}
    assert "figures" not in picture


def test_the_table_is_aligned_and_ends_with_the_verdict():
    targets = colour_pictures(6)
    text = format_scores(evaluate(*make(targets, baselines=fit_baselines(targets)), protocol={"size": SIDE}))
    lines = text.splitlines()
    header = next(line for line in lines if "CIEDE2000" in line)
    table = lines[lines.index(header) : lines.index("", lines.index(header))]
    assert len(table) == 1 + 2 * 4
    assert {len(line) for line in table} == {len(header)}
    assert "PSNR, dB" in header
    assert table[1].startswith("model (strength 1)")
    assert "size 32" in text
    assert lines[-1].startswith("The model is better")


def test_panels_show_best_median_and_worst_gain():
    scores = evaluate(*make(colour_pictures(5), factors=[0.5, 0.9, -0.5, 1.0, 0.2]))
    panels = choose_panels(scores)
    assert [(panel.kind, panel.name) for panel in panels] == [
        ("best", "3.png"),
        ("median", "0.png"),
        ("worst", "2.png"),
    ]
    first = scores.per_picture[0].figures
    assert panels[1] == PanelChoice("median", "0.png", first["model"].psnr, first["grey copy"].psnr)


@pytest.mark.parametrize(("count", "kinds"), [(1, ["best"]), (2, ["best", "worst"])])
def test_panels_repeat_no_picture(count, kinds):
    assert [panel.kind for panel in choose_panels(evaluate(*make(colour_pictures(count))))] == kinds


def test_panels_of_a_translation_task_go_by_psnr():
    targets = colour_pictures(3)
    scores = evaluate(*make(targets, [0.2, 1.0, 0.6], codec={"kind": "rgb"}, sources=targets))
    assert [panel.name for panel in choose_panels(scores)] == ["1.png", "2.png", "0.png"]
    assert choose_panels(scores)[0].grey_copy_psnr is None


def test_panels_of_grey_truth_only_show_what_there_is():
    assert choose_panels(evaluate(*make(grey_pictures(1))))[0].name == "0.png"


def test_no_pictures_are_an_error():
    with pytest.raises(DataError, match="no pictures to judge"):
        evaluate(*make([]))


def test_progress_counts_the_pictures_done():
    seen = []
    evaluate(*make(colour_pictures(3)), progress=seen.append)
    assert seen == [1, 2, 3]


def test_intervals_follow_seed_and_resamples():
    targets = colour_pictures(12)
    first, again, other = (evaluate(*make(targets, 0.5), seed=seed, resamples=200) for seed in (1, 1, 2))
    assert first == again
    assert first.rows[0].psnr.low != other.rows[0].psnr.low
    assert "200 resamples, seed 2" in other.protocol["interval"]


def test_notes_are_added_and_printed_before_the_verdict():
    scores = evaluate(*make(colour_pictures(2)))
    more = scores.with_notes(["Two pictures were left out."])
    assert more.notes == (*scores.notes, "Two pictures were left out.")
    assert format_scores(more).splitlines()[-2:] == ["Two pictures were left out.", scores.verdict]


class MeanColours:
    """Features that a few lines can give: mean and spread of each channel."""

    protocol = "mean colours 00000000, no resizing"

    def __init__(self):
        self.calls = []

    def __call__(self, pictures):
        self.calls.append(pictures.shape)
        return np.concatenate([pictures.mean(axis=(1, 2)), pictures.std(axis=(1, 2))], axis=1).astype(np.float64)


def distance(x, y):
    """Something like KID: how far the means are apart, with an interval."""
    values = ((x - y) ** 2).mean(axis=1)
    half = 2 * values.std() / len(values) ** 0.5
    return Interval(values.mean(), values.mean() - half, values.mean() + half)


def difference(x1, x2, y):
    values = ((x1 - y) ** 2).mean(axis=1) - ((x2 - y) ** 2).mean(axis=1)
    half = 2 * values.std() / len(values) ** 0.5
    return Interval(values.mean(), values.mean() - half, values.mean() + half)


def realism_by(**changes):
    return RealismBy(MeanColours(), distance, difference, **changes)


def test_realism_is_judged_on_the_very_pictures_that_were_scored():
    targets = [*colour_pictures(6, tint=(0.2, 0.0, -0.2)), *grey_pictures(2)]
    by = realism_by()
    translator, pictures = make(targets, strength=0.5)
    scores = evaluate(translator, pictures, realism=by)
    assert by.network.calls == [(1 + 3, SIDE, SIDE, 3)] * 6  # truth and rows; not for grey truths
    realism = scores.realism
    assert (realism.protocol, realism.pictures) == (by.network.protocol, 6)
    assert [(row.name, row.strength) for row in realism.rows] == [(row.name, row.strength) for row in scores.rows]
    greys = np.stack([np.repeat(picture.source, 3, axis=-1) for picture in pictures[:6]])
    expected = distance(by.network(greys), by.network(np.stack(targets[:6])))
    assert realism.rows[2].kid.mean == pytest.approx(expected.mean, rel=1e-4)
    assert realism.rows[0].kid.mean < realism.rows[1].kid.mean < realism.rows[2].kid.mean
    assert [(one.name, one.baseline, one.outcome) for one in realism.against_reference] == [
        ("model", "grey copy", "better"),
        ("model, calibrated", "grey copy", "better"),
    ]
    assert "Realism at strength 1 is better than that of grey copy: KID x 1000 is lower by " in scores.verdict
    text = format_scores(scores)
    assert "KID x 1000" in text and by.network.protocol in text
    assert Scores.from_dict(json.loads(json.dumps(scores.to_dict()))) == scores


def test_a_model_that_looks_no_more_real_than_grey_copy_is_warned_of():
    scores = evaluate(*make(colour_pictures(8), factors=[3, -3] * 4), realism=realism_by())
    assert scores.realism.against_reference[0].outcome == "no better"
    assert " Warning: realism is no better than that of grey copy: KID x 1000 is " in scores.verdict
    same = evaluate(*make(colour_pictures(8), factors=0.0), realism=realism_by())
    assert same.realism.against_reference[0].outcome != "better"
    assert "Warning: realism" in same.verdict


def test_few_pictures_have_no_realism_and_a_frechet_distance_of_few_has_a_note():
    scores = evaluate(*make(colour_pictures(5)), realism=realism_by())
    assert scores.realism is None
    assert "Realism is not judged on fewer than 6 pictures." in scores.notes
    scores = evaluate(*make(colour_pictures(6)), realism=realism_by(frechet=lambda x, y: 1.5))
    assert [row.frechet for row in scores.realism.rows] == [1.5, 1.5]
    assert any("biased upwards for fewer than 2,048 pictures" in note for note in scores.notes)
    assert "Frechet" in format_scores(scores)


def test_scores_of_other_features_or_other_pictures_are_not_compared():
    one, other = (evaluate(*make(colour_pictures(6)), realism=realism_by()) for _ in range(2))
    require_comparable(one, other)
    require_comparable(one, dataclasses.replace(other, realism=None))
    realism = dataclasses.replace(other.realism, protocol="others")
    with pytest.raises(UsageError, match=r"features is mean colours .* in the one and others in the other"):
        require_comparable(one, dataclasses.replace(other, realism=realism))
    fewer = evaluate(*make(colour_pictures(5)))
    with pytest.raises(UsageError, match="cannot be compared: pictures is 6 in the one and 5 in the other"):
        require_comparable(one, fewer)
    assert one.protocol["scores"] == other.protocol["scores"] != fewer.protocol["scores"]


def test_scores_of_earlier_versions_still_load():
    data = evaluate(*make(colour_pictures(6))).to_dict()
    for later in ("realism", "against_runs"):
        del data[later]
    for row in data["rows"]:
        del row["strengths"]
    assert Scores.from_dict(data).realism is None


def test_folds_have_baselines_of_their_own_and_strengths_of_their_own():
    first, second = colour_pictures(4, seed=1), colour_pictures(4, seed=2, tint=(0.2, 0, -0.2))
    folds = []
    for number, (targets, factor) in enumerate([(first, 2.0), (second, 4.0)]):
        translator, pictures = make(targets, factor, strength=1 / factor, baselines=fit_baselines(targets))
        named = [Pair(f"{number}/{picture.name}", picture.source, picture.target) for picture in pictures]
        folds.append(Fold(translator, named))
    scores = evaluate_folds(folds)
    row = rows_of(scores)["model, calibrated"]
    assert (row.strength, row.strengths) == (0.375, (0.5, 0.25))
    assert row.psnr.mean > 40
    for fold, targets in enumerate((first, second)):
        alone = evaluate(*make(targets, baselines=fit_baselines(targets)))
        for mine, theirs in zip(scores.per_picture[4 * fold : 4 * fold + 4], alone.per_picture, strict=True):
            assert mine.figures["mean chroma"] == theirs.figures["mean chroma"]
    assert "at the calibrated strength of each fold (0.38 on average), the model is better" in scores.verdict
    assert "model, calibrated (strength 0.38, mean of 2 folds)" in format_scores(scores)


def test_further_figures_stand_in_rows_pictures_and_table():
    measures = {"worst error": lambda output, truth: float(np.abs(output - truth).max())}
    scores = evaluate(*make(colour_pictures(6)), measures=measures)
    worst = [picture.figures["grey copy"].more["worst error"] for picture in scores.per_picture]
    assert rows_of(scores)["grey copy"].more["worst error"].mean == pytest.approx(np.mean(worst))
    assert scores.to_dict()["per_picture"][0]["grey copy"]["more"] == {"worst error": worst[0]}
    assert Scores.from_dict(scores.to_dict()) == scores
    assert any(line.endswith("worst error") for line in format_scores(scores).splitlines())


def test_a_picture_of_two_folds_is_refused():
    with pytest.raises(DataError, match=r"0\.png: is judged twice"):
        evaluate_folds([Fold(*make(colour_pictures(2))), Fold(*make(colour_pictures(2)))])


def test_pooled_gain_stands_beside_the_mean_gain():
    scores = evaluate(*make(colour_pictures(6), factors=[0.9, 0.5, 0.1, 0.3, 0.7, 0.6]))
    lines = format_scores(scores).splitlines()
    header = next(line for line in lines if "CIEDE2000" in line)
    assert header.split()[2:5] == ["gain,", "dB", "pooled"]
    row = scores.rows[0]
    cells = lines[lines.index(header) + 1].removeprefix("model (strength 1)").split()
    assert cells[1:3] == [f"{row.gain.mean:.2f}", f"{row.pooled_gain:.2f}"]
    assert cells[5] == f"{row.colourfulness_ratio:.0%}"
