"""Files in processes that may die: one that crashes, hangs or takes too much costs itself and nothing else."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tintype.errors import LostProcessError, UsageError
from tintype.image.file import read_image, write_image
from tintype.inference.one import Result, StoppedError, Turns
from tintype.inference.options import TranslateOptions
from tintype.inference.plan import plan_batch
from tintype.inference.translator import Translator
from tintype.inference.worker import IsolatedWorker, Isolation, run_isolated, serve

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.fixture
def plan(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "abcd":
        write_image(folder / f"{name}.png", np.full((9, 11, 1), 0.4, np.float32))
    return plan_batch([folder], tmp_path / "out")


@pytest.fixture
def worker(onnx_model):
    """One with a limit of time, on its own."""
    killed = set()
    options = TranslateOptions(time_limit=1.5)
    worker = IsolatedWorker(Isolation(onnx_model, None, options, memory=2**28), Turns(), killed)
    worker.killed = killed
    yield worker
    worker.close()


def test_a_worker_that_crashes_or_hangs_is_named_and_the_next_file_gets_a_new_one(plan, worker):
    crashed, hung, fine, again = plan.jobs
    first = worker(again)
    assert (first.status, first.reason) == ("done", None)

    pid = worker.pid
    os.kill(pid, signal.SIGSTOP)  # in the middle of the file, as far as the worker knows
    crash = threading.Timer(0.1, lambda: [os.kill(pid, number) for number in (signal.SIGSEGV, signal.SIGCONT)])
    crash.start()
    result = worker(crashed)
    crash.join()
    assert result.status == "failed"
    assert result.reason == f"{crashed.input}: its worker ended by SIGSEGV"

    assert worker(fine).status == "done"
    assert worker.pid != pid

    os.kill(worker.pid, signal.SIGSTOP)
    result = worker(hung)
    assert result.status == "failed"
    assert result.reason == f"{hung.input}: takes longer than the 1.5 s that --time-limit allows; its worker was ended"
    assert result.seconds < 10
    assert worker.killed == {crashed.output, hung.output}
    assert not crashed.output.exists() and not hung.output.exists()


def test_an_interrupt_while_a_worker_starts_does_not_reach_it(plan, worker, capfd):
    done = []
    thread = threading.Thread(target=lambda: done.append(worker(plan.jobs[0])))
    thread.start()
    while worker.pid is None:
        time.sleep(0.001)
    for _ in range(20):
        os.kill(worker.pid, signal.SIGINT)
        time.sleep(0.01)
    thread.join()
    assert [result.status for result in done] == ["done"]
    assert capfd.readouterr().err == ""


def test_a_worker_says_nothing_where_the_batch_has_ended_meanwhile(plan, onnx_model, monkeypatch):
    here, there = multiprocessing.Pipe()

    def translate(job, *_, **__):
        here.close()
        return Result(job.input, job.output, "done")

    monkeypatch.setattr("tintype.inference.worker.translate_file", translate)
    monkeypatch.setattr("tintype.inference.worker.signal.signal", lambda *_: None)
    here.send(plan.jobs[0])
    serve(there, Isolation(onnx_model, None, TranslateOptions()))
    assert here.closed


def test_a_worker_that_died_between_two_files_costs_none(plan, worker):
    assert worker(plan.jobs[0]).status == "done"
    pid = worker.pid
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert worker(plan.jobs[1]).status == "done"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_worker_may_not_take_more_memory_than_it_is_given(plan, worker):
    worker(plan.jobs[0])
    limits = Path(f"/proc/{worker.pid}/limits").read_text()
    held = int(Path(f"/proc/{worker.pid}/statm").read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    (limit,) = re.findall(r"Max data size +(\d+)", limits)
    assert 0.5 * 2**28 < int(limit) - held <= 2**28 + 2**26


def test_a_batch_that_is_interrupted_does_not_wait_for_a_worker_that_hangs(plan, onnx_model):
    turns = Turns()
    worker = IsolatedWorker(Isolation(onnx_model, None, TranslateOptions()), turns, set())
    worker(plan.jobs[0])
    os.kill(worker.pid, signal.SIGSTOP)
    threading.Timer(0.2, turns.stop.set).start()
    with pytest.raises(StoppedError):
        worker(plan.jobs[1])
    assert worker.pid is None


def test_an_isolated_batch_gives_what_threads_give(plan, onnx_model, tmp_path):
    (tmp_path / "in" / "e.png").write_bytes(b"no picture")
    plan = plan_batch([tmp_path / "in"], plan.out)
    (plan.out).mkdir()
    (plan.out / "b.png").write_bytes(b"an earlier result")
    plan = plan_batch([tmp_path / "in"], plan.out)
    results = list(run_isolated(plan, Isolation(onnx_model, None, TranslateOptions(strength=0.5)), workers=2))
    assert [result.status for result in results] == ["done", "kept", "done", "done", "failed"]
    assert str(results[-1].input) in results[-1].reason
    assert (results[0].width, results[0].height, results[0].bits, results[0].format) == (11, 9, 8, "png")
    expected = Translator(onnx_model)(tmp_path / "in" / "a.png", strength=0.5).pixels
    np.testing.assert_array_equal(read_image(plan.out / "a.png").pixels * 255, np.rint(expected * 255))


def test_what_does_not_fit_the_model_is_said_before_a_worker_starts(plan, onnx_model):
    with pytest.raises(UsageError, match="strength"):
        run_isolated(plan, Isolation(onnx_model, None, TranslateOptions(strength=-1)))
    assert not plan.out.exists()


def test_a_model_that_no_worker_can_load_ends_the_batch(plan, onnx_model, tmp_path):
    model = tmp_path / "model.onnx"
    model.write_bytes(onnx_model.read_bytes())
    results = run_isolated(plan, Isolation(model, None, TranslateOptions()), workers=1)
    model.unlink()
    with pytest.raises(LostProcessError, match=re.escape(str(model))):
        list(results)
