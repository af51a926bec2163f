"""The queue: its bounds, what is dropped, what is told to stop."""

from __future__ import annotations

import threading

import pytest

from tintype.inference.one import StoppedError
from tintype.server.jobs import QueueFullError, StoppingError, WorkQueue


@pytest.fixture
def queue():
    queue = WorkQueue(workers=1, waiting=2, held_bytes=100)
    yield queue
    queue.close()


class Held:
    """Work that begins, waits to be let go, and looks whether it is to stop."""

    def __init__(self):
        self.begun, self.free = threading.Event(), threading.Event()

    def __call__(self, job):
        self.begun.set()
        assert self.free.wait(20)
        if job.stop.is_set():
            raise StoppedError
        return "done"


def test_work_is_done_and_its_place_is_given_back(queue):
    job = queue.begin(queue.take_place(10), lambda job: 7)
    assert job.future.result(20) == 7
    assert queue.idle and queue.waiting == queue.in_work == 0


def test_places_are_bounded_by_number(queue):
    held = Held()
    jobs = [queue.begin(queue.take_place(1), held) for _ in range(3)]
    with pytest.raises(QueueFullError, match="try again in 1 s") as caught:
        queue.take_place(1)
    assert caught.value.retry_after == 1
    held.free.set()
    assert [job.future.result(20) for job in jobs] == ["done"] * 3
    queue.leave(queue.take_place(1))


def test_places_are_bounded_by_bytes_but_one_is_let_in_whatever_its_size(queue):
    large = queue.take_place(500)
    with pytest.raises(QueueFullError):
        queue.take_place(1)
    queue.leave(large)
    queue.leave(large)  # twice is once
    queue.take_place(60)
    queue.take_place(40)
    with pytest.raises(QueueFullError):
        queue.take_place(1)


def test_how_long_to_wait_follows_from_how_long_work_takes(queue, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("tintype.server.jobs.time.monotonic", lambda: now[0])

    def work(job):
        now[0] += 30

    queue.begin(queue.take_place(1), work).future.result(20)
    held = Held()
    for _ in range(3):
        queue.begin(queue.take_place(1), held)
    assert held.begun.wait(20)
    with pytest.raises(QueueFullError) as caught:
        queue.take_place(1)
    assert caught.value.retry_after == 60  # two that wait, half a minute each
    held.free.set()


def test_what_waits_is_dropped_at_once_and_never_done(queue):
    held, done = Held(), []
    first = queue.begin(queue.take_place(1), held)
    assert held.begun.wait(20)
    second = queue.begin(queue.take_place(1), done.append)
    second.cancel()
    with pytest.raises(StoppedError):
        second.future.result(0)
    assert queue.waiting == 0
    held.free.set()
    assert first.future.result(20) == "done"
    assert done == []


def test_what_is_in_work_is_told_to_stop(queue):
    held = Held()
    job = queue.begin(queue.take_place(1), held)
    assert held.begun.wait(20)
    job.cancel()
    held.free.set()
    with pytest.raises(StoppedError):
        job.future.result(20)


def test_errors_come_out_where_the_result_is_asked_for_and_the_worker_goes_on(queue):
    def fail(job):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        queue.begin(queue.take_place(1), fail).future.result(20)
    assert queue.begin(queue.take_place(1), lambda job: 1).future.result(20) == 1


def test_a_future_that_was_cancelled_costs_no_worker(queue):
    held = Held()
    first = queue.begin(queue.take_place(1), held)
    assert held.begun.wait(20)
    assert queue.begin(queue.take_place(1), held).future.cancel()
    held.free.set()
    assert first.future.result(20) == "done"
    assert queue.begin(queue.take_place(1), lambda job: 1).future.result(20) == 1


def test_while_it_stops_nothing_new_is_let_in_and_the_rest_is_done(queue):
    held = Held()
    first = queue.begin(queue.take_place(1), held)
    place = queue.take_place(1)
    queue.stop()
    with pytest.raises(StoppingError):
        queue.take_place(1)
    second = queue.begin(place, lambda job: 2)
    assert not queue.idle
    held.free.set()
    assert first.future.result(20) == "done" and second.future.result(20) == 2
    assert queue.idle
