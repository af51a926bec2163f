"""The colourisers that come with Tintype: `bundled` or `bundled:NAME` wherever a model is asked for.

Their files lie in the package, in `tintype/models`: `NAME.onnx` to use, `NAME.safetensors` to train further, and
`NAME.md`, the model card.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tintype.errors import ModelFileError, UsageError

BUNDLED: tuple[str, ...] = ("photos", "hubble")
"""Names of the models, the default first."""
FOLDER = Path(__file__).parents[1] / "models"
WORD = "bundled"


def bundled_model(name: str = BUNDLED[0], suffix: Literal[".onnx", ".safetensors"] = ".onnx") -> Path:
    """File of a model that comes with Tintype.

    Raises:
        ModelFileError: It is missing from the installation.
        UsageError: There is no such model.
    """
    return _file(name, suffix)


def bundled_card(name: str) -> str:
    """What is to be known of a model that comes with Tintype, as Markdown.

    Raises:
        ModelFileError: It is missing from the installation.
        UsageError: There is no such model.
    """
    return _file(name, ".md").read_text(encoding="utf-8")


def bundled_name(model: str | Path) -> str | None:
    """Which model `bundled` or `bundled:NAME` asks for; None: it is a path.

    A file or folder of that very name is given by its whole path.
    """
    word, colon, name = str(model).partition(":")
    if word != WORD:
        return None
    return name if colon else BUNDLED[0]


def model_path(model: str | Path, suffix: Literal[".onnx", ".safetensors"] = ".onnx") -> Path:
    """The path that is meant where a model is asked for: that of a file of the package, or what was given.

    Raises:
        ModelFileError: The file is missing from the installation.
        UsageError: No such model comes with Tintype.
    """
    name = bundled_name(model)
    return Path(model) if name is None else bundled_model(name, suffix)


def colouriser(model: str) -> Path:
    """The model that `tintype colorize` is given, where the names of its own need no `bundled:` before them.

    A file or folder of such a name is given with `./` before it.
    """
    return Path(f"{WORD}:{model}" if model in BUNDLED else model)


def model_name(path: Path) -> str:
    """What a model file is called for people: `bundled:NAME`, or the name of the file."""
    if path.parent == FOLDER and path.stem in BUNDLED:
        return f"{WORD}:{path.stem}"
    return path.name


def _file(name: str, suffix: str) -> Path:
    if name not in BUNDLED:
        known = " or ".join(f"{WORD}:{one}" for one in BUNDLED)
        raise UsageError(f"{WORD}:{name}: no such model comes with Tintype; give {known}, or the path of a model")
    path = FOLDER / f"{name}{suffix}"
    if not path.is_file():
        raise ModelFileError(f"{path}: is missing from this installation of Tintype; install it again")
    return path
