from __future__ import annotations

import signal
import threading

import pytest

from tintype.signals import STOPPING, stopping_gently


@pytest.mark.parametrize("kind", STOPPING)
def test_the_first_request_is_heard_the_second_acts_and_afterwards_all_is_as_before(kind: signal.Signals) -> None:
    acted: list[int] = []
    old = signal.signal(kind, lambda number, frame: acted.append(number))
    try:
        heard: list[str] = []
        before = signal.getsignal(kind)
        with stopping_gently(lambda: heard.append("stop")):
            signal.raise_signal(kind)
            assert heard == ["stop"] and acted == []
            signal.raise_signal(kind)
            assert heard == ["stop"] and acted == [kind]
        assert signal.getsignal(kind) is before
    finally:
        signal.signal(kind, old)


def test_a_thread_that_hears_no_signals_leaves_them_alone() -> None:
    seen: list[object] = []

    def work() -> None:
        with stopping_gently(lambda: None):
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
