"""Work on a stream by several threads, its order kept, without reading far ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(function: Callable[[Given], Made], items: Iterable[Given], threads: int) -> Iterator[Made]:
    """Results of `function` in the order of `items`, of which at most one more than there are threads are under way.

    What `items` or `function` raise comes out where its result would; what was begun by then is waited for.
    """
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
