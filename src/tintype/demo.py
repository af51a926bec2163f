"""The main job in miniature, on the bundled Hubble pictures: train, score, colour, report."""

from __future__ import annotations

from pathlib import Path

from tintype import api
from tintype.atomic import make_folder
from tintype.console import Reporter
from tintype.data.dataset import open_data
from tintype.image.file import write_image
from tintype.inference.batch import run_batch
from tintype.inference.plan import plan_batch
from tintype.inference.translator import Translator
from tintype.recipe import load_recipe


def run_demo(out: Path) -> bool:
    """Train the recipe `demo`, then colour the pictures that it never saw; False if it was interrupted.

    Makes OUT/run (the run folder with model, scores and report), OUT/grey (unseen pictures without their colour) and
    OUT/coloured.
    """
    run, grey, coloured = out / "run", out / "grey", out / "coloured"
    with Reporter() as say:
        say.line("1/3 training on the bundled ESA/Hubble pictures (CC BY 4.0); Ctrl-C saves, the same command goes on")
        recipe = load_recipe("demo")
        if not api.train(recipe, run, reporter=say):
            return False
        say.line("2/3 taking the colour out of pictures that were kept from training")
        make_folder(grey)
        for pair in open_data(recipe).pictures("test", 256):
            write_image(grey / Path(pair.name).with_suffix(".png"), pair.source)
        say.line(f"3/3 colouring them: tintype translate {grey} --model {run} --out {coloured}")
        results = list(run_batch(plan_batch([str(grey)], coloured), Translator(run), overwrite=True))
        say.line(f"{sum(result.status == 'done' for result in results)} pictures in {coloured}")
        say.line(f"open {run / 'report.html'} to see them beside the truth and beside what doing nothing scores")
    return True
