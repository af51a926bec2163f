"""The studio is mounted with what may be shown, says in a line what it lacks, and loads no torch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from fastapi import FastAPI
from tests.inference.conftest import write_model

from tintype.command_serve import studio_settings
from tintype.errors import MissingExtraError, UsageError
from tintype.server.service import Service
from tintype.server.settings import ServerSettings
from tintype.server.studio import StudioSettings, mount_studio


@pytest.fixture
def service(tmp_path):
    service = Service({"plain": write_model(tmp_path / "plain.onnx")}, ServerSettings(workers=1))
    yield service
    service.queue.close()


def test_folders_and_pages_that_are_not_there_are_refused(service, tmp_path):
    for settings in (StudioSettings(runs=tmp_path / "none"), StudioSettings(blind_test=tmp_path / "none.html")):
        with pytest.raises(UsageError, match=r"none.*there is no such"):
            mount_studio(FastAPI(), service, settings)


def test_without_gradio_one_line_says_what_to_install(service, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(MissingExtraError, match=r"tintype\[studio\]"):
        mount_studio(FastAPI(), service)


def test_the_studio_is_there_where_it_can_be_and_not_where_it_is_not_wanted(monkeypatch, tmp_path):
    assert studio_settings(False, None, None) is None
    assert studio_settings(True, tmp_path, None) == StudioSettings(runs=tmp_path)
    with pytest.raises(UsageError, match="leave out --no-studio"):
        studio_settings(False, tmp_path, None)
    for found, there in ((None, False), (object(), True)):
        monkeypatch.setattr("tintype.command_serve.find_spec", lambda _, found=found: found)
        assert (studio_settings(None, None, None) is not None) is there
        assert studio_settings(None, tmp_path, None) is not None


def test_nothing_of_it_loads_torch():
    pytest.importorskip("gradio")
    names = [f"studio{part}" for part in ("", "_page", "_gate", "_visit", "_curves", "_words", "_hints")]
    program = (
        f"import sys\nfor name in {names}: __import__(f'tintype.server.{{name}}')\n"
        "import json; print(json.dumps([name for name in ('torch', 'onnx', 'matplotlib') if name in sys.modules]))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == []
