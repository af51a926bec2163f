"""Fetching a public picture set: resumable download, check of the hash, safe unpacking, one move into place.

All that is on the way lies in FOLDER.download beside the FOLDER that is asked for; FOLDER appears whole or not at all.
Of pooch come the check and the rule when to download; going on with a broken-off transfer is done here. Which sets
there are stands in `public_sets.py`.
"""

from __future__ import annotations

import functools
import gzip
import json
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, cast

from tintype.atomic import make_folder
from tintype.console import Reporter
from tintype.data.public_sets import PublicSet, RemoteFile
from tintype.errors import DataError, OutputError
from tintype.image.file import find_pictures

_MB = 10**6
_CHUNK = 1 << 16
_TIMEOUT_S = (15, 60)  # to connect, and between two pieces
_MOST_FILES = 500_000  # the largest set has 139,000
_MOST_GROWTH = 4  # an archive of pictures hardly shrinks them
_GROWTH_FROM = 64 * _MB  # archives that unpack to less may grow as they like
_MARKER = ".tintype-set.json"


@dataclass(frozen=True, slots=True)
class FetchedSet:
    """What lies in a folder.

    Attributes:
        folder: The set.
        pictures: Number of pictures in it.
        sha256: Of each downloaded file, by its address.
        fetched: Whether it was fetched now; False: it was there already.
    """

    folder: Path
    pictures: int
    sha256: dict[str, str]
    fetched: bool


def get_set(public: PublicSet, folder: Path, say: Reporter, *, keep: bool = False) -> FetchedSet:
    """Fetch a set into a folder, or see that it is there; `keep` leaves the archives in FOLDER.download.

    Raises:
        DataError: A server cannot be reached or has not what was published, an archive is damaged or unsafe, the set
            may not be handed out, or something else is in the folder.
        OutputError: Something cannot be written.
    """
    if (folder / _MARKER).is_file():
        found = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
        if found["name"] == public.name:
            return FetchedSet(folder, found["pictures"], found["sha256"], fetched=False)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(
            f"{folder}: is there already and is not {public.name} as this command fetches it; "
            "train on it as it is, or give another --out"
        )
    if public.withheld:
        raise DataError(f"{public.name}: {public.withheld}")
    work = folder.parent / f"{folder.name}.download"
    make_folder(work)
    try:
        files = {file: _fetch(file, work, folder, say) for file in public.files}
        with _writing(folder):
            result = _put_together(public, files, work / "unpacked", folder, say)
            if not keep:
                shutil.rmtree(work)
        return result
    finally:
        shutil.rmtree(work / "unpacked", ignore_errors=True)
        with suppress(OSError):  # not empty: something in it is worth keeping
            work.rmdir()


def _put_together(
    public: PublicSet, files: dict[RemoteFile, Path], unpacked: Path, folder: Path, say: Reporter
) -> FetchedSet:
    import pooch

    sha256 = {file.url: pooch.file_hash(str(path), alg="sha256") for file, path in files.items()}
    shutil.rmtree(unpacked, ignore_errors=True)  # of a run that was killed
    unpacked.mkdir()
    for file, path in files.items():
        if path.name.endswith((".zip", ".tar.gz")):
            try:
                unpack(path, unpacked, say, most_bytes=max(_GROWTH_FROM, _MOST_GROWTH * path.stat().st_size))
            except DataError as error:
                path.unlink()
                raise DataError(f"{file.url}: {error}; it was thrown away, {_by_hand(file, folder)}") from error
        else:
            shutil.copyfile(path, unpacked / path.name)
    inside = [entry for entry in unpacked.iterdir() if not entry.name.startswith((".", "__MACOSX"))]
    root = inside[0] if len(inside) == 1 and inside[0].is_dir() else unpacked
    pictures = public.pictures or len(find_pictures(root))
    marker = {"name": public.name, "pictures": pictures, "sha256": sha256}
    (root / _MARKER).write_text(json.dumps(marker, indent=1), encoding="utf-8")
    if folder.exists():
        folder.rmdir()
    root.replace(folder)
    return FetchedSet(folder, pictures, sha256, fetched=True)


# --- download --------------------------------------------------------------------------------------------------------


def _fetch(file: RemoteFile, work: Path, folder: Path, say: Reporter) -> Path:
    """The file in the work folder, downloaded if it is not there with the published hash."""
    import pooch
    import requests
    import urllib3

    pooch.get_logger().setLevel("WARNING")
    part = work / f"{file.name}.part"
    download = functools.partial(_download, part=part, say=say)
    try:
        with _writing(part):
            return Path(pooch.retrieve(file.url, file.known_hash, fname=file.name, path=work, downloader=download))
    except requests.HTTPError as error:
        reason = f"the server answers {error}"
    except (requests.Timeout, urllib3.exceptions.TimeoutError):
        reason = "the server does not answer in time"
    except requests.exceptions.SSLError:
        reason = "the certificate of the server cannot be verified"
    except (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError):
        reason = "the transfer broke off"
    except (requests.RequestException, urllib3.exceptions.HTTPError):
        reason = "the server cannot be reached, check that you are online"
    except ValueError:
        reason = f"what came has not the published hash ({file.known_hash}) and was thrown away"
    except KeyboardInterrupt:
        say.end()
        if kept := _kept(part):
            say.line(kept)
        raise
    raise DataError("; ".join(filter(None, (f"{file.url}: {reason}", _kept(part), _by_hand(file, folder)))))


def _download(url: str, output: str, _pooch: object, *, part: Path, say: Reporter) -> None:
    """Download into `part`, from where it ends if the server still has the same file, and then name it `output`."""
    import requests

    same = _validator(part)
    validator = same.read_text(encoding="latin-1") if same.is_file() else ""
    done = part.stat().st_size if validator and part.is_file() else 0
    headers = {"Accept-Encoding": "identity"}
    if done:
        headers |= {"Range": f"bytes={done}-", "If-Range": validator}
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
        goes_on = response.headers.get("Content-Range", "").startswith(f"bytes {done}-")
        if done and (response.status_code == 416 or (response.status_code == 206 and not goes_on)):
            part.unlink()
            _download(url, output, _pooch, part=part, say=say)
            return
        if response.status_code >= 400:
            raise requests.HTTPError(f"{response.status_code} {response.reason}")
        if response.status_code != 206:
            if done:
                say.line(f"{url}: the server cannot go on, or has another file by now; starting again")
            done = 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        with part.open("ab" if done else "wb") as target:
            if not done:
                etag = response.headers.get("ETag", "")
                strong = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
                same.write_text(strong, encoding="latin-1")
            say.begin(f"downloading {part.stem}, MB", total and total // _MB, done // _MB)
            for piece in response.raw.stream(_CHUNK, decode_content=False):  # as it lies there: a .gz stays packed
                target.write(piece)
                done += len(piece)
                say.update(done // _MB, total and total // _MB)
    say.end()
    if total is not None and done != total:
        raise requests.exceptions.ChunkedEncodingError(f"{done} of {total} bytes came")
    same.unlink()
    part.replace(output)


def _validator(part: Path) -> Path:
    """Where the ETag or the date stands that the beginning was sent with; empty if the server gave neither."""
    return part.with_name(f"{part.name}.validator")


def _kept(part: Path) -> str:
    """What to say about the beginning of a file; one that cannot be gone on with is removed."""
    validator = _validator(part)
    if not (part.is_file() and part.stat().st_size and validator.is_file() and validator.stat().st_size):
        part.unlink(missing_ok=True)
        validator.unlink(missing_ok=True)
        return ""
    return f"{part} holds the first {part.stat().st_size / _MB:.1f} MB, and the same command goes on from there"


def _by_hand(file: RemoteFile, folder: Path) -> str:
    return f"try again later, or download it by hand from {file.url} and unpack it to {folder}"


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what the disk says into an OutputError; requests' own errors are OSErrors too and pass."""
    import requests

    try:
        yield
    except requests.RequestException:
        raise
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror or error}); make room or give another --out, "
            "and the same command goes on with what is downloaded"
        ) from error


# --- unpacking -------------------------------------------------------------------------------------------------------

Member = tuple[str, int, Callable[[], IO[bytes]] | None]
"""Name, size in bytes, and what opens a file; None for a folder."""

_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError, ValueError)


def unpack(archive: Path, folder: Path, say: Reporter, *, most_bytes: int, most_files: int = _MOST_FILES) -> None:
    """Unpack a .zip or .tar.gz: plain files with plain relative names, made anew, and nothing else of what it says.

    Colons in names, which some systems do not allow, become dashes.

    Raises:
        DataError: The archive is damaged, or has links, devices, names that lead out of the folder, or too much in it.
        OSError: Something cannot be written.
    """
    try:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as pack:
                _write_all(_zip_members(pack), folder, say, most_bytes, most_files)
        else:
            with tarfile.open(archive, "r:gz") as tar:
                _write_all(_tar_members(tar), folder, say, most_bytes, most_files)
    except _DAMAGED as error:
        raise DataError(f"the archive is damaged ({error})") from error


def _write_all(members: Iterable[Member], folder: Path, say: Reporter, most_bytes: int, most_files: int) -> None:
    total = 0
    say.begin("unpacking, files", None)
    for count, (name, size, opened) in enumerate(members, start=1):
        if name.startswith("/") or "\\" in name or PureWindowsPath(name).drive or ".." in PurePosixPath(name).parts:
            raise DataError(f"the archive is unsafe: {name!r} leads out of its folder")
        total += abs(size)
        if total > most_bytes or count > most_files:
            raise DataError(f"the archive is unsafe: it unpacks to more than {most_bytes} bytes or {most_files} files")
        if opened is not None:
            path = folder / name.replace(":", "-")
            path.parent.mkdir(parents=True, exist_ok=True)
            with opened() as content, path.open("xb") as target:
                shutil.copyfileobj(content, target)
        say.update(count)
    say.end()


def _zip_members(pack: zipfile.ZipFile) -> Iterator[Member]:
    for info in pack.infolist():
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DataError(f"the archive is unsafe: {info.filename!r} is a link or a device")
        yield info.filename, info.file_size, None if info.is_dir() else functools.partial(pack.open, info)


def _tar_members(tar: tarfile.TarFile) -> Iterator[Member]:
    for info in tar:
        if not info.isreg() and not info.isdir():
            raise DataError(f"the archive is unsafe: {info.name!r} is a link or a device")
        opened = cast(Callable[[], IO[bytes]], functools.partial(tar.extractfile, info))
        yield info.name, info.size, opened if info.isreg() else None
