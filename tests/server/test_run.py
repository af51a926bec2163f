"""The server as a process: clients that go, a signal to stop in the middle of work, a second one."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

HEAD = "POST /v1/translate HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: {}\r\n\r\n"


class Server:
    """`tintype serve` with one worker, and what it has logged."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.temporary, self.log = folder / "temporary", folder / "log"
        self.temporary.mkdir()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tintype", "serve", "--model", f"small={model}", "--port", "0"),
                    *("--workers", "1", "--queue", "20"),
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {"TMPDIR": str(self.temporary)},
            )
        self.said = self.process.stdout.readline()
        self.port = int(self.said.partition("http://127.0.0.1:")[2].partition(";")[0])

    def ask(self, data: bytes) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", "/v1/translate", data, {"Content-Type": "image/png"})
            answer = connection.getresponse()
            assert len(answer.read()) == int(answer.headers["Content-Length"])
            return answer.status
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    def accepted(self) -> int:
        """Requests let in; asked from their last state to the first, so that one that moves on does not count twice."""
        done = self.statuses()[200]
        return done + int(self.metric("tintype_in_work")) + int(self.metric("tintype_queue_waiting"))

    def statuses(self) -> Counter[int]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return Counter(line["status"] for line in lines if line["route"] == "/v1/translate")


@pytest.fixture
def server(models, tmp_path):
    server = Server(models["plain"], tmp_path)
    yield server
    server.process.kill()
    server.process.communicate()


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_signal_in_the_middle_of_work_costs_no_request_that_was_accepted(server, encoded):
    data, large = encoded(1), encoded(2, height=700, width=900)
    assert server.said.startswith("serving small at http://127.0.0.1:")
    assert server.ask(data) == 200

    for part in (None, 1000):  # clients that go while they wait, and while they send
        with socket.create_connection(("127.0.0.1", server.port)) as gone:
            gone.sendall(HEAD.format(len(large)).encode() + large[:part])
    wait_for(lambda: server.statuses()[499] == 2)

    found: Counter[int | str] = Counter()

    def ask():
        try:
            found[server.ask(large)] += 1
        except OSError as error:
            found[type(error).__name__] += 1

    early = [threading.Thread(target=ask) for _ in range(8)]
    for thread in early:
        thread.start()
    wait_for(lambda: server.accepted() == 1 + 8)
    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: server.ask(data) == 503)
    for thread in early:
        thread.join()
    assert server.process.wait(30) == 0
    assert found == {200: 8}
    assert server.statuses()[200] == 9
    assert list(server.temporary.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_second_signal_ends_it_at_once_and_leaves_nothing(server):
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(HEAD.format(100).encode())
        wait_for(lambda: server.metric("tintype_in_work") == 0)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 128 + signal.SIGTERM
    assert list(server.temporary.iterdir()) == []
