from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tintype.errors import CheckpointError, OutputError
from tintype.training.checkpoint import load_checkpoint, save_checkpoint

CONTENT = {"step": 7, "networks": {"generator": {"weight": torch.arange(5.0)}}, "best": {"score": None}}


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "last.pt", CONTENT)
    content = load_checkpoint(tmp_path / "last.pt")
    assert torch.equal(content["networks"]["generator"]["weight"], torch.arange(5.0))
    assert (content["step"], content["best"]) == (7, {"score": None})
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


@pytest.mark.parametrize("where", [0.1, 0.5, 0.9])
def test_a_flipped_bit_is_found(tmp_path: Path, where: float) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"weight": torch.rand(10_000)})
    data = bytearray(path.read_bytes())
    data[int(len(data) * where)] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


class Hostile:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.mark.parametrize("content", [b"", b"not a zip", pickle.dumps({"a": Hostile()})])
def test_a_file_that_is_no_checkpoint_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path / "last.pt")
    assert "\n" not in str(caught.value)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    torch.save({"format": 1, "step": Hostile()}, tmp_path / "last.pt")
    with pytest.raises(CheckpointError, match="damaged or no checkpoint"):
        load_checkpoint(tmp_path / "last.pt")


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone\.pt: no such checkpoint"):
        load_checkpoint(tmp_path / "gone.pt")


def test_another_torch_file_is_no_checkpoint(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(1)}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="not a checkpoint of this version"):
        load_checkpoint(tmp_path / "other.pt")


def test_a_write_that_reads_back_differently_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, CONTENT)
    before = path.read_bytes()
    honest = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda self, data: honest(self, bytes(data)[:-1] + b"\1"))
    with pytest.raises(OutputError, match="reads back differently"):
        save_checkpoint(path, {**CONTENT, "step": 8})
    assert path.read_bytes() == before


FULL_DISK = """
import resource, sys, torch
from pathlib import Path
from tintype.errors import OutputError
from tintype.training.checkpoint import save_checkpoint
path = Path(sys.argv[1])
save_checkpoint(path, {"step": 1, "weight": torch.zeros(10)})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # the system refuses to write more, as on a full disk
try:
    save_checkpoint(path, {"step": 2, "weight": torch.rand(100_000)})
except OutputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
def test_a_disk_that_fills_up_in_the_middle_leaves_the_last_good_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    run = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True)
    assert "last.pt: cannot be written" in run.stdout
    assert run.stdout.count("\n") == 1
    assert load_checkpoint(path)["step"] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.pt"]
