"""Small models behind an app, and pictures as bytes."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import numpy as np
import pytest
from fastapi.testclient import TestClient
from tests.conftest import make_picture
from tests.inference.conftest import write_hinted_model, write_model, write_noisy_model

from tintype.image.file import write_image
from tintype.server.app import create_app
from tintype.server.settings import ServerSettings

LOCAL = "http://localhost"


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A colouriser, one with noise, and one that turns pictures into others."""
    folder = tmp_path_factory.mktemp("served")
    return {
        "plain": write_model(folder / "plain.onnx"),
        "noisy": write_noisy_model(folder / "noisy.onnx"),
        "other": write_model(folder / "other.onnx", "rgb"),
        "hinted": write_hinted_model(folder / "hinted.onnx"),
    }


@pytest.fixture(scope="session")
def encoded(tmp_path_factory):
    """Makes the bytes of a picture file: a grey picture of a seed, or an array."""
    folder = tmp_path_factory.mktemp("encoded")

    def encode(seed=0, suffix=".png", height=40, width=48, pixels=None):
        if pixels is None:
            pixels = make_picture(seed, height, width)[..., :1] / np.float32(255)
        path = folder / f"picture{suffix}"
        write_image(path, pixels)
        return path.read_bytes()

    return encode


@pytest.fixture
def make_client(models):
    """Makes clients of apps; the models may be chosen, and settings given."""
    open_clients = []

    def make(*names, **settings):
        app = create_app(
            {name: models[name] for name in names or models},
            ServerSettings(**({"workers": 2, "queue": 4, "time_limit": 20} | settings)),
        )
        client = TestClient(app, base_url=LOCAL)
        client.__enter__()
        open_clients.append(client)
        return client

    yield make
    for client in open_clients:
        client.__exit__(None, None, None)


@pytest.fixture(scope="session")
def client(models):
    """A client of an app that tests share which leave it as it is."""
    app = create_app(models, ServerSettings(workers=2, queue=4, time_limit=20))
    with TestClient(app, base_url=LOCAL) as client:
        yield client


@contextmanager
def busy(service):
    """All workers of a service are busy until the end."""
    free, begun = threading.Event(), threading.Semaphore(0)

    def work(job):
        begun.release()
        free.wait(20)

    jobs = [service.run(work, 0) for _ in range(service.settings.worker_count)]
    for _ in jobs:
        assert begun.acquire(timeout=20)
    try:
        yield
    finally:
        free.set()
        for job in jobs:
            job.future.result(20)
