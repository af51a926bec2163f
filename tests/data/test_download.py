"""Fetching a set: resumed where it broke off, checked, unpacked only if that is safe, there whole or not at all.

All transfers are with a server of this process on the loopback interface.
"""

from __future__ import annotations

import errno
import hashlib
import io
import re
import socket
import stat
import tarfile
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import make_picture

from tintype import command_line
from tintype.console import Reporter
from tintype.data import download, public_sets
from tintype.data.download import get_set, unpack
from tintype.data.public_sets import PUBLIC_SETS, PublicSet, RemoteFile, public_set
from tintype.data.source import find_items
from tintype.errors import DataError, OutputError, UsageError
from tintype.image.file import write_image
from tintype.recipe import load_recipe, preset_names

pytest.importorskip("pooch")

QUIET = Reporter(quiet=True)


# --- a server that misbehaves as it is told --------------------------------------------------------------------------


@dataclass
class Server:
    """What the server has and how it behaves; `seen` collects the Range of each request."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    etag: str = '"one"'
    ranges: bool = True
    break_after: int | None = None
    shift: int = 0
    encoding: str = ""
    seen: list[str | None] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            wanted = self.headers["Range"]
            state.seen.append(wanted)
            body = state.files.get(self.path[1:])
            if body is None:
                self.send_error(404)
                return
            start = 0
            if wanted and state.ranges and self.headers["If-Range"] == state.etag:
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
                if start >= len(body):
                    self.send_error(416)
                    return
                start += state.shift
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            if state.etag:
                self.send_header("ETag", state.etag)
            if state.encoding:
                self.send_header("Content-Encoding", state.encoding)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            self.wfile.write(body[start : state.break_after])
            self.close_connection = state.break_after is not None

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Server(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


# --- sets ------------------------------------------------------------------------------------------------------------


def png(folder: Path, seed: int) -> bytes:
    path = folder / "made.png"
    write_image(path, make_picture(seed))
    return path.read_bytes()


def tar_of(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zip_of(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, data in contents.items():
            pack.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def paired(server, tmp_path):
    """A small set like those of pix2pix: two training pictures and one to test, and noise that makes it 400 kB."""
    names = ("facades/train/1.png", "facades/train/2.png", "facades/test/1.png")
    noise = np.random.default_rng(0).bytes(400_000)
    server.files["facades.tar.gz"] = tar_of(
        {name: png(tmp_path, seed) for seed, name in enumerate(names)} | {"facades/noise.bin": noise}
    )
    (tmp_path / "made.png").unlink()
    return a_set(server, "facades.tar.gz")


def a_set(server: Server, *names: str, known_hash: str | None = None) -> PublicSet:
    files = tuple(RemoteFile(f"{server.url}/{name}", known_hash) for name in names)
    return PublicSet("facades", "a test", 1, "https://example.org/terms", files, public_sets.PAIRED)


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def left_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def fails(public: PublicSet, folder: Path, kind: type[Exception] = DataError) -> str:
    with pytest.raises(kind) as caught:
        get_set(public, folder, QUIET)
    assert "\n" not in str(caught.value)
    assert not folder.exists()
    return str(caught.value)


def test_a_set_is_fetched_unpacked_and_ready_to_train_on(server, paired, tmp_path):
    folder = tmp_path / "deep" / "facades"
    fetched = get_set(paired, folder, QUIET)
    url = f"{server.url}/facades.tar.gz"
    assert (fetched.pictures, fetched.fetched) == (3, True)
    assert f"sha256:{fetched.sha256[url]}" == sha256(server.files["facades.tar.gz"])
    assert [path.name for path in folder.parent.iterdir()] == ["facades"], "nothing is left beside it"
    spec = load_recipe("hubble-pix2pix", ["data.kind=side_by_side", f"data.path={folder}"]).data
    assert [(item.name, item.split) for item in find_items(spec)] == [
        ("test/1.png", "test"),
        ("train/1.png", "train"),
        ("train/2.png", "train"),
    ]


def test_a_set_that_is_there_is_not_fetched_again(server, paired, tmp_path):
    first = get_set(paired, tmp_path / "facades", QUIET)
    again = get_set(paired, tmp_path / "facades", QUIET)
    assert not again.fetched
    assert (again.pictures, again.sha256) == (first.pictures, first.sha256)
    assert len(server.seen) == 1


def test_a_folder_of_something_else_is_left_alone(server, paired, tmp_path):
    (tmp_path / "own.png").touch()
    with pytest.raises(DataError, match=r"is there already and is not facades .*--out"):
        get_set(paired, tmp_path, QUIET)
    assert (left_in(tmp_path), server.seen) == (["own.png"], [])


def test_an_archive_is_kept_where_that_is_asked_for_and_used_again(server, paired, tmp_path):
    get_set(paired, tmp_path / "facades", QUIET, keep=True)
    assert left_in(tmp_path / "facades.download") == ["facades.tar.gz"]
    (tmp_path / "facades").rename(tmp_path / "moved")
    assert get_set(paired, tmp_path / "facades", QUIET).pictures == 3
    assert len(server.seen) == 1


def test_files_that_are_no_archives_are_the_set_as_they_are(server, tmp_path):
    server.files |= {"images.gz": b"images", "labels.gz": b"labels"}
    get_set(a_set(server, "images.gz", "labels.gz"), tmp_path / "set", QUIET)
    assert {name: (tmp_path / "set" / name).read_bytes() for name in server.files} == server.files
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_what_the_server_calls_encoded_stays_as_it_lies_there(server, paired, tmp_path):
    server.encoding = "gzip"
    assert get_set(paired, tmp_path / "facades", QUIET).pictures == 3


# --- broken-off transfers --------------------------------------------------------------------------------------------


@pytest.fixture
def broken_off(server, paired, tmp_path):
    """The set after a first try that ended in the middle, and the size of what came."""
    server.break_after = 250_000
    said = fails(paired, tmp_path / "facades")
    part = tmp_path / "facades.download" / "facades.tar.gz.part"
    assert "the transfer broke off" in said
    assert f"{part} holds the first 0.2 MB, and the same command goes on from there" in said
    assert 100_000 < part.stat().st_size <= 250_000
    server.break_after = None
    server.seen.clear()
    return part.stat().st_size


def whole(server, public, tmp_path) -> None:
    """The next try gives the whole set and leaves nothing beside it."""
    fetched = get_set(public, tmp_path / "facades", QUIET)
    assert fetched.sha256[public.files[0].url] == sha256(server.files["facades.tar.gz"])[7:]
    assert [path.name for path in tmp_path.iterdir()] == ["facades"]


def test_a_broken_off_transfer_goes_on_where_it_stopped(server, paired, broken_off, tmp_path):
    whole(server, paired, tmp_path)
    assert server.seen == [f"bytes={broken_off}-"]


@pytest.mark.parametrize("change", [{"ranges": False}, {"etag": '"two"'}], ids=["no ranges", "another file"])
def test_it_starts_again_where_going_on_would_mix_two_files(change, server, paired, broken_off, tmp_path, capsys):
    for name, value in change.items():
        setattr(server, name, value)
    get_set(paired, tmp_path / "facades", Reporter())
    assert "starting again" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["facades"]
    assert len(server.seen) == 1


def test_it_starts_again_where_the_server_sends_another_range(server, paired, broken_off, tmp_path):
    server.shift = -10
    whole(server, paired, tmp_path)
    assert server.seen == [f"bytes={broken_off}-", None]


def test_it_starts_again_where_the_file_has_become_shorter(server, paired, broken_off, tmp_path):
    server.files["facades.tar.gz"] = tar_of({"facades/train/1.png": png(tmp_path, 5)})
    (tmp_path / "made.png").unlink()
    whole(server, paired, tmp_path)
    assert server.seen == [f"bytes={broken_off}-", None]


def test_the_beginning_of_a_file_that_cannot_be_gone_on_with_is_not_left(server, paired, tmp_path):
    server.etag, server.break_after = "", 250_000
    assert "goes on" not in fails(paired, tmp_path / "facades")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_transfer_can_be_gone_on_with_and_that_is_said(server, paired, tmp_path, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "update", interrupt)
        with pytest.raises(KeyboardInterrupt):
            get_set(paired, tmp_path / "facades", Reporter())
    assert "facades.tar.gz.part holds the first 0.1 MB" in capsys.readouterr().err
    server.seen.clear()
    whole(server, paired, tmp_path)
    assert server.seen == ["bytes=65536-"]


# --- errors ----------------------------------------------------------------------------------------------------------


def test_a_published_hash_is_checked(server, paired, tmp_path):
    right = sha256(server.files["facades.tar.gz"])
    assert get_set(a_set(server, "facades.tar.gz", known_hash=right), tmp_path / "right", QUIET).pictures == 3
    wrong = a_set(server, "facades.tar.gz", known_hash="md5:" + "0" * 32)
    assert f"has not the published hash (md5:{'0' * 32}) and was thrown away" in fails(wrong, tmp_path / "wrong")
    assert [path.name for path in tmp_path.iterdir()] == ["right"]


def test_a_file_that_is_not_there_is_named_with_what_to_do(server, tmp_path):
    said = fails(a_set(server, "gone.zip"), tmp_path / "set")
    url = f"{server.url}/gone.zip"
    assert said == (
        f"{url}: the server answers 404 Not Found; try again later, or download it by hand from {url} "
        f"and unpack it to {tmp_path / 'set'}"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_cannot_be_reached_is_named(server, tmp_path):
    nobody = a_set(Server("http://127.0.0.1:1"), "facades.tar.gz")
    assert "127.0.0.1:1/facades.tar.gz: the server cannot be reached" in fails(nobody, tmp_path / "set")


def test_a_server_whose_name_is_unknown_is_named(server, tmp_path, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    nowhere = a_set(Server("http://nowhere.invalid"), "facades.tar.gz")
    assert "nowhere.invalid/facades.tar.gz: the server cannot be reached" in fails(nowhere, tmp_path / "set")


def test_a_server_that_says_nothing_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_TIMEOUT_S", (0.2, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        public = a_set(Server(f"http://127.0.0.1:{silent.getsockname()[1]}"), "facades.tar.gz")
        assert "the server does not answer in time" in fails(public, tmp_path / "set")


def test_a_full_disk_is_an_output_error_that_keeps_the_archive(server, paired, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(download.shutil, "copyfileobj", full)
        said = fails(paired, tmp_path / "facades", OutputError)
    assert "cannot be written (No space left on device); make room" in said
    assert left_in(tmp_path) == ["facades.download/facades.tar.gz"]
    assert get_set(paired, tmp_path / "facades", QUIET).pictures == 3
    assert len(server.seen) == 1


def test_a_set_that_may_not_be_handed_out_is_not_fetched(tmp_path):
    assert "register at https://www.cityscapes-dataset.com" in fails(PUBLIC_SETS["cityscapes"], tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


# --- archives --------------------------------------------------------------------------------------------------------


def tar_with(info: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.addfile(info)
    return buffer.getvalue()


def special(kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo("set/special")
    info.type, info.linkname = kind, "../../target"
    return info


def zip_link() -> bytes:
    info = zipfile.ZipInfo("set/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as pack:
        pack.writestr(info, "../../target")
    return buffer.getvalue()


EVIL = {
    "up.tar.gz": (tar_of({"set/../../up": b"x"}), "leads out of its folder"),
    "up.zip": (zip_of({"set/../../up": b"x"}), "leads out of its folder"),
    "root.tar.gz": (tar_of({"/up": b"x"}), "leads out of its folder"),
    "root.zip": (zip_of({"/up": b"x"}), "leads out of its folder"),
    "drive.zip": (zip_of({"C:/up": b"x"}), "leads out of its folder"),
    "backslash.tar.gz": (tar_of({"set\\..\\..\\up": b"x"}), "leads out of its folder"),
    "symlink.tar.gz": (tar_with(special(tarfile.SYMTYPE)), "is a link or a device"),
    "hardlink.tar.gz": (tar_with(special(tarfile.LNKTYPE)), "is a link or a device"),
    "device.tar.gz": (tar_with(special(tarfile.CHRTYPE)), "is a link or a device"),
    "pipe.tar.gz": (tar_with(special(tarfile.FIFOTYPE)), "is a link or a device"),
    "link.zip": (zip_link(), "is a link or a device"),
    "bomb.tar.gz": (tar_of({"set/zeros": bytes(2_000_000)}), "unpacks to more than 1000000 bytes"),
    "bomb.zip": (zip_of({f"set/{n}": bytes(300_000) for n in range(4)}), "unpacks to more than 1000000 bytes"),
    "many.zip": (zip_of({f"set/{n}": b"" for n in range(50)}), "or 40 files"),
    "page.zip": (b"<html>not here</html>", "is damaged"),
    "page.tar.gz": (b"<html>not here</html>", "is damaged"),
    "cut.tar.gz": (tar_of({"set/noise": np.random.default_rng(0).bytes(9999)})[:-5000], "is damaged"),
    "cut.zip": (zip_of({"set/a": b"a" * 999})[:-30], "is damaged"),
}


@pytest.mark.parametrize("name", EVIL)
def test_an_evil_or_damaged_archive_is_refused_and_thrown_away(name, server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_GROWTH_FROM", 1_000_000)
    monkeypatch.setattr(download, "_MOST_GROWTH", 1)
    monkeypatch.setitem(unpack.__kwdefaults__, "most_files", 40)
    server.files[name], reason = EVIL[name]
    said = fails(a_set(server, name), tmp_path / "in" / "set")
    assert said.startswith(f"{server.url}/{name}: the archive is ")
    assert reason in said
    assert left_in(tmp_path) == []


def test_names_with_colons_are_made_to_fit_everywhere(tmp_path):
    archive = tmp_path / "yosemite.zip"
    archive.write_bytes(zip_of({"trainA/2010-09-07 12:28:04.jpg": b"x"}))
    unpack(archive, tmp_path / "out", QUIET, most_bytes=100)
    assert left_in(tmp_path / "out") == ["trainA/2010-09-07 12-28-04.jpg"]


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("public", PUBLIC_SETS.values(), ids=PUBLIC_SETS)
def test_a_set_of_the_table_is_well_formed(public):
    digits = {"md5": 32, "sha256": 64}
    assert re.fullmatch(r"[a-z0-9_-]+", public.name)
    assert public.terms.startswith("http")
    assert bool(public.files) != bool(public.withheld)
    for file in public.files:
        assert re.fullmatch(r"https?://[a-z0-9.-]+(/[\w.-]+)+", file.url)
        assert file.url.startswith("https:") or file.known_hash, "without either, nobody could tell what came"
        if file.known_hash:
            kind, _, digest = file.known_hash.partition(":")
            assert re.fullmatch(rf"[0-9a-f]{{{digits[kind]}}}", digest)


def test_no_two_files_of_the_table_are_confused():
    files = [file for public in PUBLIC_SETS.values() for file in public.files]
    hashes = [file.known_hash for file in files if file.known_hash]
    assert len({file.url for file in files}) == len(files)
    assert len(set(hashes)) == len(hashes)


def test_the_recipes_that_the_table_names_can_be_loaded():
    recipes = {public.train for public in PUBLIC_SETS.values() if public.train}
    for recipe, *changes in map(str.split, sorted(recipes)):
        assert recipe in preset_names()
        loaded = load_recipe(recipe, [*changes, "data.path=somewhere"])
        if loaded.data.kind == "unpaired":  # these sets are of 256 px and were published with these settings
            assert (loaded.data.size, loaded.data.load_size, loaded.method.adversarial) == (256, 286, "lsgan")
    assert len(recipes) > 2


def test_the_page_about_public_data_names_every_set():
    page = (Path(__file__).parents[2] / "docs" / "public-data.md").read_text(encoding="utf-8")
    assert [name for name in PUBLIC_SETS if f"`{name}`" not in page] == []


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match=r"horse2zebras: no such public set; did you mean horse2zebra\?"):
        public_set("horse2zebras")
    with pytest.raises(UsageError, match=r"--list"):
        public_set("qqq")


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_says_what_came_and_how_to_train_on_it(server, paired, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(public_sets.PUBLIC_SETS, "facades", paired)
    command_line.get_data("facades", None, keep=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "data/facades: 3 pictures",
        f"facades.tar.gz: sha256 {sha256(server.files['facades.tar.gz'])[7:]} (no published hash)",
        "terms: see https://example.org/terms",
        "next: tintype train hubble-pix2pix data.kind=side_by_side codec.source=rgb data.path=data/facades "
        "--out runs/facades",
    ]
    command_line.get_data("facades", None, keep=False)
    assert capsys.readouterr().out.splitlines()[0] == "data/facades: 3 pictures, there already"


def test_the_list_names_every_set_and_fetches_none(capsys):
    command_line.list_public_sets()
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(PUBLIC_SETS)
