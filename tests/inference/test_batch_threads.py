"""Many files at a time: they overlap, large ones wait for each other, and whatever ends a batch leaves whole files."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from tintype.image.file import read_image, write_image
from tintype.inference.batch import passed_over, remove_unfinished, run_batch
from tintype.inference.one import StoppedError, Turns, translate_file
from tintype.inference.options import TranslateOptions
from tintype.inference.plan import plan_batch
from tintype.inference.translator import Translator


class Network:
    """Gives grey; calls a function with the number of the call, counted from 0, and with the input, before that."""

    name = "fake"

    def __init__(self, before):
        self.before, self.calls, self.lock = before, 0, threading.Lock()

    def __call__(self, x):
        with self.lock:
            number, self.calls = self.calls, self.calls + 1
        self.before(number, x)
        return np.zeros((1, 2, *x.shape[2:]), np.float32)


@pytest.fixture
def translator(make_card):
    def make(before):
        return Translator.from_runtime(Network(before), make_card())

    return make


@pytest.fixture
def plan(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()

    def make(count, **options):
        for number in range(count):
            write_image(folder / f"{number:03}.png", np.full((9, 11, 1), number / count, np.float32))
        return plan_batch([folder], tmp_path / "out", **options)

    return make


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_files_are_in_work_at_the_same_time(plan, translator):
    meeting = threading.Barrier(2, timeout=10)  # broken, and each file failed, if one comes alone
    results = list(run_batch(plan(2), translator(lambda *_: meeting.wait()), workers=2))
    assert [result.status for result in results] == ["done", "done"]


def test_large_pictures_wait_for_each_other_and_small_ones_do_not():
    turns, at_work, most = Turns(large=100), 0, 0
    lock = threading.Lock()

    def work(pixels):
        nonlocal at_work, most
        with turns.of(pixels):
            with lock:
                at_work += 1
                most = max(most, at_work)
            time.sleep(0.02)
            with lock:
                at_work -= 1

    for pixels, expected in ((101, 1), (100, 3)):
        most = 0
        threads = [threading.Thread(target=work, args=(pixels,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == expected


def test_a_large_picture_that_waits_for_its_turn_can_be_stopped():
    turns = Turns(large=1)
    with turns.of(2):
        turns.stop.set()
        with pytest.raises(StoppedError), turns.of(2):
            pass


def test_results_come_in_the_order_of_the_plan_or_as_they_are_there(plan, translator):
    released = threading.Event()
    slow_first = lambda _, x: released.wait(10) if x.max() == -1 else None  # noqa: E731  the first is black
    jobs = plan(3)
    results = run_batch(jobs, translator(slow_first), workers=2, in_order=False)
    first, second = next(results), next(results)
    assert {first.input.name, second.input.name} == {"001.png", "002.png"}
    released.set()
    assert next(results).input.name == "000.png"
    in_order = [result.input.name for result in run_batch(jobs, translator(lambda *_: None), overwrite=True)]
    assert in_order == ["000.png", "001.png", "002.png"]


def test_work_does_not_run_far_ahead_of_what_is_taken(plan, translator):
    model = translator(lambda *_: None)
    results = run_batch(plan(150), model, workers=2)
    next(results)
    time.sleep(0.5)
    assert model.runtime.calls <= 66
    assert len(list(results)) == 149


def test_a_defect_costs_one_file_and_is_named(plan, translator):
    def stumble(number, _):
        if number == 1:
            raise ZeroDivisionError("by nothing\nat all")

    results = list(run_batch(plan(3), translator(stumble), workers=1))
    assert [result.status for result in results] == ["done", "failed", "done"]
    assert "001.png: ZeroDivisionError: by nothing at all; that is a defect" in results[1].reason


def test_what_ends_the_program_is_no_fault_of_a_file(plan, translator):
    def leave(*_):
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        list(run_batch(plan(2), translator(leave), workers=1))


def test_a_batch_that_is_closed_leaves_whole_files_only(plan, translator, tmp_path):
    begun, closing = threading.Event(), threading.Event()

    def wait_in_the_second(number, _):
        if number == 1:
            begun.set()
            closing.wait(10)

    results = run_batch(plan(20), translator(wait_in_the_second), workers=1)
    next(results)
    begun.wait(10)
    threading.Timer(0.1, closing.set).start()
    results.close()
    assert names(tmp_path / "out") == ["000.png"]
    assert read_image(tmp_path / "out" / "000.png").width == 11


def test_a_file_that_takes_too_long_fails(plan, translator):
    options = TranslateOptions(time_limit=0.05)
    slow = translator(lambda number, _: time.sleep(0.1 * (number == 0)))
    results = list(run_batch(plan(2), slow, options, workers=1))
    assert [result.status for result in results] == ["failed", "done"]
    assert "takes longer than the 0.05 s that --time-limit allows" in results[0].reason


def test_a_result_that_came_between_plan_and_work_is_kept(plan, translator, tmp_path):
    (job,) = plan(1).jobs
    job.output.parent.mkdir()
    job.output.write_bytes(b"of another process")
    assert translate_file(job, translator(lambda *_: None), TranslateOptions(), Turns()).status == "kept"
    assert job.output.read_bytes() == b"of another process"


def test_the_uncertainty_stands_beside_the_result_and_is_made_up_for(plan, translator, tmp_path):
    out = tmp_path / "out"
    jobs = plan(2, uncertainty=True)
    list(run_batch(jobs, translator(lambda *_: None), workers=1))
    both = ["000.png", "000.uncertainty.png", "001.png", "001.uncertainty.png"]
    assert names(out) == both
    assert read_image(out / "000.uncertainty.png").width >= 11
    (out / "001.uncertainty.png").unlink()
    before = (out / "001.png").stat().st_mtime_ns
    statuses = [result.status for result in run_batch(plan(2, uncertainty=True), translator(lambda *_: None))]
    assert (statuses, names(out)) == (["kept", "done"], both)
    assert (out / "001.png").stat().st_mtime_ns == before


def test_depth_and_format_of_the_result_are_told(plan, translator, tmp_path):
    deep = tmp_path / "deep.tif"
    write_image(deep, np.full((9, 11, 1), 0.3, np.float32), bits=16)
    for picture_format, bits in (("tif", 16), ("png", 16), ("jpg", 8), ("webp", 8)):
        job = plan_batch([deep], tmp_path / "out", picture_format=picture_format)
        (result,) = run_batch(job, translator(lambda *_: None))
        assert (result.status, result.format, result.bits) == ("done", picture_format, bits)
        assert read_image(result.output).bits == bits


def test_files_that_are_passed_over_are_results_too(plan, tmp_path):
    plan(1)
    (tmp_path / "in" / "notes.txt").touch()
    (result,) = passed_over(plan(1).others)
    assert (result.status, result.input.name, result.output) == ("passed over", "notes.txt", None)
    assert result.reason == ".txt: not one of a picture"


def test_temporary_files_of_a_killed_run_are_removed(plan, translator, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / ".000-0123abcd.png").write_bytes(b"half a picture")
    (out / ".other-0123abcd.png").write_bytes(b"of somebody else")
    list(run_batch(plan(1), translator(lambda *_: None)))
    assert names(out) == [".other-0123abcd.png", "000.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks")
def test_temporary_files_stay_while_another_process_works_in_the_folder(plan, translator, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / ".000-0123abcd.png").write_bytes(b"half a picture")
    program = "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], 0), fcntl.LOCK_SH); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program, out], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        list(run_batch(plan(1), translator(lambda *_: None)))
        assert names(out) == [".000-0123abcd.png", "000.png"]
        remove_unfinished([out / "000.png"], out)
        assert names(out) == [".000-0123abcd.png", "000.png"]
        other.communicate(b"\n")
    remove_unfinished([out / "000.png"], out)
    assert names(out) == ["000.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_in_a_folder_does_not_stop_the_batch(plan, translator, tmp_path):
    plan(1)
    os.mkfifo(tmp_path / "in" / "z.png")
    assert [result.status for result in run_batch(plan(1), translator(lambda *_: None))] == ["done"]
