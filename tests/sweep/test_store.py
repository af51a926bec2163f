"""Who owns a point: one at a time, the next one after it, nobody after the end."""

from __future__ import annotations

import threading

import pytest

from tintype.sweep import store as module
from tintype.sweep.definition import read_definition
from tintype.sweep.locks import FileLock, JournalLock
from tintype.sweep.points import grid_points
from tintype.sweep.store import Store

POINT, OTHER = grid_points(read_definition("tiny", ["training.seed=0,1"]))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "s")


def test_a_point_is_claimed_once_whatever_the_number_of_those_who_try(tmp_path):
    claims, barrier = [], threading.Barrier(4)

    def work():
        mine = Store(tmp_path / "s")
        barrier.wait()
        claims.extend(claim for point in (POINT, OTHER) if (claim := mine.claim(point)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claim.point.name for claim in claims) == ["seed=0", "seed=1"]


def test_without_file_locks_the_storage_alone_decides(tmp_path, monkeypatch):
    """Machines with folders of their own do not see each other's locks."""
    claims, barrier = [], threading.Barrier(4)
    monkeypatch.setattr(Store, "lock", lambda self, point: FileLock.take(tmp_path / f"{id(self)}.lock"))
    stores = [Store(tmp_path / "s") for _ in range(4)]
    for one in stores:
        one.owner["folder"] = str(id(one))

    def work(mine):
        barrier.wait()
        claims.extend(claim for point in (POINT, OTHER) if (claim := mine.claim(point)))

    threads = [threading.Thread(target=work, args=[one]) for one in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claim.point.name for claim in claims) == ["seed=0", "seed=1"]


def test_what_is_finished_is_claimed_by_nobody_and_keeps_its_record(store, tmp_path):
    claim = store.claim(POINT)
    assert claim.finish("complete", {"scores": {"psnr": 20.0}, "validation": 19.5}, 19.5)
    claim.lock.release()
    other = Store(tmp_path / "s")
    assert other.claim(POINT) is None
    standing = other.standings()[POINT.key]
    assert standing.state == "complete" and standing.trial.values == [19.5]
    assert standing.record["scores"] == {"psnr": 20.0} and standing.record["values"] == {"training.seed": 0}


def test_a_point_that_was_given_up_goes_on_with_the_time_that_it_took(store):
    claim = store.claim(POINT)
    claim._beat = -1e9
    assert claim.renew(12.5)
    claim.give_up()
    claim.lock.release()
    assert store.standings()[POINT.key].state == "lost"
    again = store.claim(POINT)
    assert again.seconds_before == 12.5
    assert store.standings()[POINT.key].attempt == 1


def test_a_dead_owner_in_the_same_folder_is_succeeded_at_once(store, tmp_path):
    store.claim(POINT).lock.release()  # as the system does when a process is killed
    assert Store(tmp_path / "s").claim(POINT) is not None


def test_an_owner_elsewhere_is_succeeded_when_its_lease_has_stood_still_for_long(tmp_path, monkeypatch):
    here, there = Store(tmp_path / "s"), Store(tmp_path / "s")
    here.owner["host"] = "another machine"
    claim = here.claim(POINT)
    claim.lock.release()  # locks are not seen from machine to machine
    assert there.claim(POINT) is None
    monkeypatch.setattr(module, "LEASE_S", 0.0)
    successor = there.claim(POINT)
    assert successor is not None
    claim._beat = -1e9
    assert not claim.renew(1.0), "the old owner learns of it"
    assert not claim.finish("complete", {}, 1.0)
    assert there.standings()[POINT.key].state == "running"


def test_a_lease_that_is_renewed_does_not_lapse(tmp_path, monkeypatch):
    here, there = Store(tmp_path / "s"), Store(tmp_path / "s")
    here.owner["host"] = "another machine"
    claim = here.claim(POINT)
    claim.lock.release()
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    for _ in range(5):
        assert there.claim(POINT) is None
        now[0] += module.LEASE_S - 1
        claim._beat = now[0] - module.BEAT_S
        claim.renew(now[0])


def test_only_the_failed_attempt_that_was_named_is_followed_by_another(store):
    claim = store.claim(POINT)
    claim.finish("failed", {"reason": "diverged"}, None)
    claim.lock.release()
    assert store.claim(POINT) is None
    again = store.claim(POINT, again=0)
    again.finish("failed", {"reason": "diverged"}, None)
    again.lock.release()
    assert store.claim(POINT, again=0) is None


def test_a_line_that_a_killed_process_left_half_written_is_cut_off(store, tmp_path):
    store.claim(POINT).lock.release()
    with (tmp_path / "s" / "storage.journal").open("ab") as journal:
        journal.write(b'{"op_code": 4, "wor')
    assert Store(tmp_path / "s").claim(OTHER) is not None
    assert set(Store(tmp_path / "s").standings()) == {POINT.key, OTHER.key}


def test_a_journal_lock_waits_for_the_one_who_has_it(tmp_path):
    journal = tmp_path / "journal"
    journal.touch()
    first, second, order = JournalLock(journal), JournalLock(journal), []
    first.acquire()
    waiting = threading.Thread(target=lambda: (second.acquire(), order.append("second"), second.release()))
    waiting.start()
    waiting.join(0.1)
    order.append("first")
    first.release()
    waiting.join()
    assert order == ["first", "second"]
