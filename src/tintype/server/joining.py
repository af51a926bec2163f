"""Runs of a network that come at about the same time from several threads, joined to one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import final

import numpy as np

from tintype.errors import TintypeError
from tintype.inference.runtime import OpenRuntime

Shapes = tuple[tuple[str, tuple[int, ...], np.dtype[np.generic]], ...]

MOST_PIXELS = 2**20
"""Of all pictures in a joined run: what a run takes in memory is in proportion to them."""


@final
@dataclass(slots=True, eq=False)
class _Call:
    inputs: Mapping[str, np.ndarray]
    shapes: Shapes
    done: bool = False
    outputs: list[np.ndarray] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def count(self) -> int:
        """Pictures in it."""
        return len(self.inputs["source"])

    @property
    def pixels(self) -> int:
        source = self.inputs["source"]
        return len(source) * source.shape[2] * source.shape[3]


@final
class JoiningRuntime:
    """A runtime that joins calls whose inputs have equal shapes; see `OpenRuntime`.

    One run is under way at a time. Calls that come meanwhile, or within `wait` of the first, share the next one; each
    gets its own part of the result, which is that of a run by itself but for rounding.

    Args:
        runtime: Runs the network; its normalisation must look at each picture alone, as that of all models in use does.
        most: Pictures in a run.
        wait: Seconds that the first call waits for others.
        others: How many more calls may come now; where none can, the first one does not wait.
        joined: Told the number of pictures in each run.
    """

    def __init__(
        self,
        runtime: OpenRuntime,
        most: int,
        wait: float,
        others: Callable[[], int] = lambda: 1,
        joined: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._runtime, self._most, self._wait, self._others, self._joined = runtime, most, wait, others, joined
        self._changed = threading.Condition()
        self._waiting: deque[_Call] = deque()
        self._running = False

    @property
    def name(self) -> str:
        """See `Runtime.name`."""
        return self._runtime.name

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """See `Runtime`."""
        return self.run({"source": x})[0]

    def run(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """See `ManyRuntime`."""
        call = _Call(inputs, tuple((name, value.shape[1:], value.dtype) for name, value in sorted(inputs.items())))
        with self._changed:
            self._waiting.append(call)
            self._changed.notify_all()
            self._changed.wait_for(lambda: call.done or (not self._running and self._waiting[0] is call))
            if not call.done:
                self._running = True
                self._changed.wait_for(partial(self._is_full, call), timeout=self._wait)
                together = self._take(call)
        if not call.done:
            self._run(together)
            with self._changed:
                self._running = False
                for one in together:
                    one.done = True
                self._changed.notify_all()
        if call.error is not None:
            raise call.error
        return call.outputs

    def _fitting(self, first: _Call) -> list[_Call]:
        """The calls that go with one, as many as there is room for."""
        count = pixels = 0
        fitting = []
        for call in self._waiting:
            room = count + call.count <= self._most and pixels + call.pixels <= MOST_PIXELS
            if call is first or (room and call.shapes == first.shapes):
                fitting.append(call)
                count, pixels = count + call.count, pixels + call.pixels
        return fitting

    def _is_full(self, first: _Call) -> bool:
        fitting = self._fitting(first)
        return sum(call.count for call in fitting) >= self._most or len(self._waiting) > self._others()

    def _take(self, first: _Call) -> list[_Call]:
        fitting = self._fitting(first)
        self._waiting = deque(call for call in self._waiting if call not in fitting)
        return fitting

    def _run(self, calls: list[_Call]) -> None:
        """Run calls as one, or each by itself where that fails: one that fails must not cost the others."""
        self._joined(sum(call.count for call in calls))
        if len(calls) == 1 or not self._run_joined(calls):
            for call in calls:
                try:
                    call.outputs = self._runtime.run(call.inputs)
                except BaseException as error:  # raised in the thread that called
                    call.error = error

    def _run_joined(self, calls: list[_Call]) -> bool:
        whole = {name: np.concatenate([call.inputs[name] for call in calls]) for name in calls[0].inputs}
        try:
            outputs = self._runtime.run(whole)
        except TintypeError:
            return False
        ends = np.cumsum([call.count for call in calls])[:-1]
        parts = zip(*(np.split(output, ends) for output in outputs), strict=True)
        for call, outputs_of_call in zip(calls, parts, strict=True):
            call.outputs = list(outputs_of_call)
        return True
