"""The folder or file that a path of a recipe names: on disk, or a picture set that comes with the package."""

from __future__ import annotations

from pathlib import Path

from tintype.errors import DataError, UsageError

ARRAYS_SUFFIX = ".npz"
_BUNDLED = "bundled:"


def bundled_folder(name: str) -> Path:
    """Folder of a picture set that comes with the package.

    Raises:
        UsageError: There is no such set.
    """
    root = Path(__file__).parent / "bundled"
    known = sorted(folder.name for folder in root.iterdir() if folder.is_dir())
    if name not in known:
        raise UsageError(
            f"data.path: {_BUNDLED}{name} does not come with Tintype; there is {', '.join(_BUNDLED + k for k in known)}"
        )
    return root / name


def data_path(path: str, field: str = "data.path") -> Path:
    """The folder or .npz file that a path of a recipe names, `~` and `bundled:NAME` allowed.

    Raises:
        UsageError: The path is empty or names an unknown bundled set.
        DataError: There is no such folder or .npz file.
    """
    if path.lower().endswith(ARRAYS_SUFFIX):
        file = Path(path).expanduser()
        if file.is_file():
            return file
        if not file.is_dir():
            raise DataError(f"{path}: no such file; {field} must name a folder of pictures or an .npz file of them")
    return data_folder(path, field)


def data_folder(path: str, field: str = "data.path") -> Path:
    """The folder that a path of a recipe names: `bundled:NAME` or a folder on disk, `~` allowed.

    Raises:
        UsageError: The path is empty or names an unknown bundled set.
        DataError: There is no such folder.
    """
    if not path:
        raise UsageError(f"{field} is empty: give a folder of pictures, as in `tintype train RECIPE {field}=FOLDER`")
    if path.startswith(_BUNDLED):
        return bundled_folder(path.removeprefix(_BUNDLED))
    folder = Path(path).expanduser()
    if not folder.exists():
        raise DataError(f"{path}: no such folder; {field} must name a folder of pictures")
    if not folder.is_dir():
        raise DataError(f"{path}: is a file; {field} must name a folder of pictures")
    return folder
