"""The API answers whatever it is asked as its own description says; `benchmarks/serve_fuzz.py` does so for longer."""

from __future__ import annotations

from contextlib import asynccontextmanager

import hypothesis.strategies as st
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from tintype.server.app import create_app
from tintype.server.bodies import PICTURE_TYPES
from tintype.server.settings import ServerSettings

CONFIG = SchemathesisConfig.from_dict(
    {
        "checks": {
            # whether a setting fits a model, and whether bytes are a picture, no schema can say
            "positive_data_acceptance": {"expected-statuses": ["200", "413", "415", "422"]},
        }
    }
)
OPERATIONS = {"/v1/translate": "POST", "/v1/models": "GET", "/healthz": "GET", "/readyz": "GET", "/metrics": "GET"}


@asynccontextmanager
async def endless(_):
    yield


@pytest.fixture(scope="module")
def description(models, encoded):
    app = create_app(models, ServerSettings(host="testserver", workers=2, max_pixels=10_000))  # as the fuzzer calls it
    app.router.lifespan_context = endless  # the fuzzer begins and ends the app for each request
    pictures = [encoded(1), encoded(2, ".jpg"), encoded(3, ".tif"), encoded(4)[:200], encoded(5, height=101, width=100)]
    for media_type in PICTURE_TYPES:
        schemathesis.openapi.media_type(media_type, st.sampled_from(pictures))
    yield schemathesis.openapi.from_asgi("/openapi.json", app, config=CONFIG)
    app.state.service.queue.close()


@pytest.mark.parametrize(
    ("path", "mode"),
    [("/v1/translate", GenerationMode.NEGATIVE), *((path, GenerationMode.POSITIVE) for path in OPERATIONS)],
)
def test_answers_are_as_they_are_described(description, path, mode):
    operation = description[path][OPERATIONS[path]]

    @seed(1)
    @settings(
        max_examples=25 if path == "/v1/translate" else 3,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def answer(case):
        case.call_and_validate()

    answer()


def test_all_operations_are_asked(description):
    found = {operation.ok().path: operation.ok().method.upper() for operation in description.get_all_operations()}
    assert found == OPERATIONS
