"""Everything that the translation of one picture takes beside the picture and the model, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from tintype.errors import UsageError
from tintype.image.codec import build_codec
from tintype.image.picture import Reading, Writing
from tintype.image.provenance import Provenance
from tintype.inference.hints import Hint, check_hints
from tintype.inference.mark import mark_of
from tintype.inference.modelfile import ModelCard
from tintype.inference.palette import Palette
from tintype.inference.sizing import Sizing
from tintype.inference.translator import Translator, check_reference, check_strength, told_settings


@final
@dataclass(frozen=True, slots=True)
class TranslateOptions:
    """How pictures are read, translated and written; it can be pickled, for workers."""

    reading: Reading = field(default_factory=Reading)
    writing: Writing = field(default_factory=Writing)
    sizing: Sizing = field(default_factory=Sizing)
    strength: float = 1.0
    """Factor on predicted chroma."""
    keep_colour: bool = False
    """Pictures that have colour of their own are left as they are."""
    seed: int | None = None
    """Of the noise of models that have any, and of the passes of which the uncertainty is made; default: 0."""
    hints: tuple[Hint, ...] = ()
    """Colours at points of the one picture."""
    reference: Palette | None = None
    """Colours that those of all pictures are brought to."""
    time_limit: float | None = None
    """Seconds for one picture; asked between strips."""
    provenance: Provenance | None = None
    """What results say about how they were made."""


def check_options(options: TranslateOptions, card: ModelCard, uncertainty: bool = False) -> None:
    """Refuse what means nothing for this model.

    Raises:
        UsageError: A strength, or a setting that would be without effect.
    """
    codec = build_codec(card.recipe, card.direction)
    check_strength(options.strength, codec)
    check_hints(options.hints, card)
    check_reference(options.reference, codec)
    if uncertainty and options.reference is not None:
        raise UsageError(
            "--uncertainty: is that of predicted colours, which --reference changes; leave one of them out"
        )
    if options.seed is not None and not (uncertainty or card.makes_many):
        raise UsageError(f"--seed {options.seed}: has no effect on this model without --uncertainty; leave it out")
    sizing = options.sizing
    if codec.predicts_chroma:
        for option, given in (
            ("--tile", sizing.tile is not None),
            ("--statistics whole", sizing.statistics == "whole"),
        ):
            if given:
                raise UsageError(f"{option}: this model sees every picture whole, in one size; leave the option out")
        return
    for option, given in (
        ("--edges", sizing.edges is not None),
        ("--keep-colour", options.keep_colour and not codec.colourises),
    ):
        if given:
            raise UsageError(f"{option} has no meaning for this model, which does not predict chroma; leave it out")
    if uncertainty and codec.scale > 1:
        raise UsageError("--uncertainty has no meaning for this model, which enlarges pictures; leave it out")
    if uncertainty and codec.target_channels == 1:
        raise UsageError("--uncertainty has no meaning for this model, which makes grey pictures; leave it out")
    if sizing.statistics == "whole" and card.tiling != "approximate":
        raise UsageError("--statistics whole: this network needs none, in tiles or not; leave the option out")


def seeded(translator: Translator, options: TranslateOptions) -> Translator:
    """The translator with the noise that was asked for, where it has any."""
    return translator.with_seed(options.seed) if options.seed and translator.card.makes_many else translator


def describe(options: TranslateOptions, card: ModelCard, model: Path, uncertainty: bool = False) -> Provenance:
    """What results say about how they were made: the model, and those of the settings that matter for the picture.

    Raises:
        ModelFileError: The model file cannot be read.
    """
    codec = build_codec(card.recipe, card.direction)
    reading, writing, sizing = options.reading, options.writing, options.sizing
    settings: list[tuple[str, str]] = []
    if codec.predicts_chroma:
        settings.append(("strength", f"{options.strength:g}"))
    for name, value, default in (
        ("keep_colour", options.keep_colour, False),
        ("edges", sizing.edges, None),
        ("tile", sizing.tile, None),
        ("statistics", sizing.statistics, "auto"),
        ("page", reading.page + 1, 1),
        ("hdu", reading.hdu, None),
        ("plane", reading.plane + 1, 1),
        ("stretch", reading.stretch, Reading().stretch),
        ("flux", writing.flux, False),
    ):
        if value != default:
            settings.append((name, _word(value)))
    if uncertainty or card.makes_many:
        settings.append(("seed", str(options.seed or 0)))
    settings += told_settings(options.hints, options.reference)
    return mark_of(card, model, settings)


def _word(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
