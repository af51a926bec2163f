"""Ways of training, and the builder that turns a recipe into one."""

from __future__ import annotations

from tintype.methods.classifier import ClassifierMethod
from tintype.methods.cut import Cut
from tintype.methods.cyclegan import CycleGan
from tintype.methods.gan import Gan
from tintype.methods.lapgan import Lapgan
from tintype.methods.method import Batch, Method, Peers, Phase
from tintype.methods.pix2pix import Pix2Pix
from tintype.methods.regression import Regression
from tintype.methods.unit import Unit
from tintype.recipe.methods import (
    ClassifierSpec,
    CutSpec,
    CycleGanSpec,
    GanSpec,
    Pix2PixSpec,
    RegressionSpec,
    UnitSpec,
)
from tintype.recipe.schema import Recipe

__all__ = [
    "Batch",
    "ClassifierMethod",
    "Cut",
    "CycleGan",
    "Gan",
    "Lapgan",
    "Method",
    "Peers",
    "Phase",
    "Pix2Pix",
    "Regression",
    "Unit",
    "build_method",
]


def build_method(recipe: Recipe, peers: Peers | None = None) -> Method:
    """The recipe's method with freshly drawn weights, from torch's random generator; `peers` where others train too."""
    match recipe.method:
        case Pix2PixSpec():
            return Pix2Pix(recipe, recipe.method, peers)
        case RegressionSpec():
            return Regression(recipe, recipe.method)
        case CycleGanSpec():
            return CycleGan(recipe, recipe.method, peers)
        case CutSpec():
            return Cut(recipe, recipe.method)
        case UnitSpec():
            return Unit(recipe, recipe.method, peers)
        case ClassifierSpec():
            return ClassifierMethod(recipe, recipe.method)
        case GanSpec() if recipe.generator.kind == "lapgan":
            return Lapgan(recipe, recipe.method, peers)
        case GanSpec():
            return Gan(recipe, recipe.method, peers)
