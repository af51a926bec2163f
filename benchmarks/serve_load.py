"""The server under load on loopback: mixed requests of many clients, every answer checked, and a stop in the middle.

    python benchmarks/serve_load.py [--model MODEL] [--requests 3000] [--clients 16] [--queue 8] [--pictures DIR]

Of the requests 5 % are broken, 1 % huge (half of them beyond the limit), and 1 % are given up by their client. Without
a model, the recipe `hubble-lab` with fresh weights is served. Each answer is compared with what the same model makes of
the same picture here, alone; a client that is told to wait waits as long as it is told. Bars: every answer is that of
its picture; no status of 500 or more but 503 while stopping; resident memory of the last fifth within 10 % of that of
the second; at SIGTERM in mid-load no answer is lost and the exit code is 0.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import itertools
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from fresh_model import fresh_model

from tintype.data.paths import bundled_folder
from tintype.image.file import find_pictures, read_image, write_image
from tintype.image.picture import to_samples
from tintype.image.resize import resize
from tintype.inference.translator import Translator

KINDS = ("whole", "whole", "whole", "form", "form", "json", "shrunk", "png")
SIZES = ((96, 128), (128, 96), (160, 160), (200, 300), (240, 240), (300, 200), (480, 640))
LEVELS = 3  # of 255: rounding of a joined run, and what JPEG makes of it, in the mean far less
LARGEST = 40_000_000


@dataclass(slots=True)
class Tally:
    """What the clients saw."""

    statuses: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    waits: list[int] = field(default_factory=list)
    answered: int = 0
    """Translations that came back whole."""
    refused: int = 0
    """Connections that were not taken."""
    lost: int = 0
    """Connections that ended without an answer."""
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, and what is to come back."""

    png: bytes
    expected: np.ndarray
    expected_small: np.ndarray


def make_pictures(folder: Path, source: Path, translator: Translator) -> list[Picture]:
    """Grey pictures of several sizes, each unlike the others, with the result of the model run directly."""
    made = []
    for number, path in enumerate(find_pictures(source)[:28]):
        image = read_image(path).pixels
        height, width = SIZES[number % len(SIZES)]
        grey = resize(image.mean(2, keepdims=True), height, width).clip(0, 1)
        file = folder / f"{number}.png"
        write_image(file, grey)
        expected = translator(file).pixels
        small = round(height * 64 / max(height, width)), round(width * 64 / max(height, width))
        made.append(Picture(file.read_bytes(), expected, resize(expected, *small).clip(0, 1)))
    return made


def broken(number: int, picture: Picture) -> tuple[bytes, str]:
    """Something that is no picture, or was one."""
    match number % 4:
        case 0:
            return picture.png[: len(picture.png) // 2], "image/png"
        case 1:
            return random.Random(number).randbytes(2000), "application/octet-stream"
        case 2:
            return b"", "image/png"
    return picture.png, "text/plain"


class Load:
    """Clients that share a list of requests."""

    def __init__(self, port: int, pictures: list[Picture], huge: bytes, too_huge: bytes, folder: Path) -> None:
        self.port, self.pictures, self.huge, self.too_huge, self.folder = port, pictures, huge, too_huge, folder
        self.tally, self.numbers = Tally(), itertools.count()
        self.end = threading.Event()

    def client(self, most: int) -> None:
        """Ask until there are no more requests, or the server is gone."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        while not self.end.is_set() and (number := next(self.numbers)) < most:
            try:
                self.ask(connection, number)
            except ConnectionRefusedError:
                with self.tally.lock:
                    self.tally.refused += 1
                return
            except (OSError, http.client.HTTPException) as error:
                with self.tally.lock:
                    self.tally.lost += 1
                    self.tally.statuses[type(error).__name__] += 1
                connection.close()
        connection.close()

    def ask(self, connection: http.client.HTTPConnection, number: int) -> None:
        """Send a request until it is let in, and check the answer."""
        picture = self.pictures[number * 7 % len(self.pictures)]
        place, query, kind = number % 100, "?format=png", KINDS[number % len(KINDS)]
        body, content_type = picture.png, "image/png"
        if place < 5:
            kind, (body, content_type) = "broken", broken(number // 100, picture)
        elif place == 5:
            kind, body = ("huge", self.huge) if number // 100 % 2 else ("too huge", self.too_huge)
            content_type = "image/jpeg" if kind == "huge" else "image/png"
            query = "?format=jpg"
        elif place == 6:
            return self.give_up(number, picture)
        elif kind == "form":
            edge = b"edge-of-parts"
            part = b'--%s\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
            body = part % (edge, b"picture", b'; filename="a"', body) + part % (edge, b"format", b"", b"png")
            body, content_type, query = (
                body + b"--%s--\r\n" % edge,
                f"multipart/form-data; boundary={edge.decode()}",
                "",
            )
        elif kind == "json":
            query += "&answer=json"
        elif kind == "shrunk":
            query += "&size=64"
        while True:
            start = time.monotonic()
            connection.request("POST", "/v1/translate" + query, body, {"Content-Type": content_type})
            answer = connection.getresponse()
            data = answer.read()
            seconds = time.monotonic() - start
            with self.tally.lock:
                self.tally.statuses[str(answer.status)] += 1
            if answer.status != 429:
                break
            wait = int(answer.headers["Retry-After"])
            with self.tally.lock:
                self.tally.waits.append(wait)
            if self.end.wait(wait * random.uniform(1, 1.25)):
                return None
        problem = self.judge(kind, answer.status, answer.headers, data, picture, number)
        with self.tally.lock:
            if problem:
                self.tally.problems.append(f"{number} {kind}: {problem}")
            if answer.status == 200:
                self.tally.answered += 1
                self.tally.seconds.append(seconds)
        return None

    def judge(self, kind: str, status: int, headers: object, data: bytes, picture: Picture, number: int) -> str:
        """What is wrong with an answer; empty: nothing."""
        if status == 503:
            return ""
        if kind in ("broken", "too huge"):
            allowed = (415, 422) if kind == "broken" else (413,)
            return "" if status in allowed and b'"detail"' in data else f"status {status}"
        if status != 200:
            return f"status {status} {data[:200]!r}"
        if kind == "huge":
            return "" if data[:3] == b"\xff\xd8\xff" else "no JPEG"
        if kind == "json":
            data = base64.b64decode(json.loads(data)["picture"])
        found = to_samples(read_image(data).pixels, 8).astype(int)
        expected = picture.expected_small if kind == "shrunk" else picture.expected
        wanted = to_samples(expected, 8).astype(int)
        if found.shape != wanted.shape:
            return f"shape {found.shape}, expected {wanted.shape}"
        difference = np.abs(found - wanted)
        if kind == "shrunk":  # its luminance was reduced first, its chroma was not
            return "" if difference.mean() < LEVELS else f"differs by {difference.mean():.2f} levels in the mean"
        return "" if difference.max() <= LEVELS else f"differs by {difference.max()} levels"

    def give_up(self, number: int, picture: Picture) -> None:
        """Send a request and go."""
        lines = ("POST /v1/translate HTTP/1.1", "Host: localhost", "Content-Type: image/png")
        head = "\r\n".join((*lines, f"Content-Length: {len(picture.png)}", "", ""))
        with socket.create_connection(("127.0.0.1", self.port)) as plain:
            plain.sendall(head.encode() + picture.png[: None if number % 200 < 100 else 1000])
            time.sleep(0.05)
        with self.tally.lock:
            self.tally.statuses["given up"] += 1

    def run(self, clients: int, most: int) -> list[threading.Thread]:
        """Start the clients."""
        threads = [threading.Thread(target=self.client, args=(most,)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        return threads


class Server:
    """`tintype serve` as a process."""

    def __init__(self, model: Path, folder: Path, queue: int) -> None:
        words = ["serve", "--model", str(model), "--port", "0", "--queue", str(queue), "--max-pixels", str(LARGEST)]
        self.log = folder / "log"
        environment = os.environ | {"TMPDIR": str(folder)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tintype", *words],
            stdout=subprocess.PIPE,
            stderr=self.log.open("w"),
            text=True,
            env=environment,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.port = int(line.partition("http://127.0.0.1:")[2].partition(";")[0])

    def resident(self) -> float:
        """Megabytes that it holds."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def lines(self) -> list[dict]:
        """What it has logged about translations."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if line.get("route") == "/v1/translate"]


def under_load(load: Load, server: Server, clients: int, requests: int) -> bool:
    """All requests, with figures; whether the bars hold."""
    start = time.monotonic()
    threads = load.run(clients, requests)
    memory: list[tuple[int, float]] = []
    shown = 0
    while any(thread.is_alive() for thread in threads):
        memory.append((sum(load.tally.statuses.values()) - load.tally.statuses["429"], server.resident()))
        if memory[-1][0] >= shown + requests / 10:
            shown = memory[-1][0]
            print(f"  {shown:,} requests, {memory[-1][1]:.0f} MB", flush=True)
        time.sleep(0.2)
    seconds = time.monotonic() - start
    tally, taken = load.tally, sorted(load.tally.seconds)
    early = [held for count, held in memory if 0.2 * requests <= count < 0.4 * requests]
    late = [held for count, held in memory if count >= 0.8 * requests]
    growth = statistics.median(late) / statistics.median(early) - 1
    batches = Counter(line["status"] for line in server.lines())
    print(f"statuses: {dict(tally.statuses)}; in the log {dict(batches)}")
    print(f"{requests / seconds:.1f} requests/s, {tally.answered / seconds:.1f} translations/s, {seconds:.0f} s in all")
    print(f"translations: p50 {taken[len(taken) // 2]:.2f} s, p99 {taken[len(taken) * 99 // 100]:.2f} s")
    print(f"Retry-After: {Counter(tally.waits)}")
    print(f"memory: {statistics.median(early):.0f} MB to {statistics.median(late):.0f} MB ({growth:+.1%}), ", end="")
    print(f"at most {max(held for _, held in memory):.0f} MB")
    for problem in tally.problems[:20]:
        print("WRONG", problem)
    bad = [status for status in tally.statuses if status.isdigit() and int(status) >= 500]
    good = not tally.problems and not bad and not tally.lost and growth <= 0.1
    print(f"wrong answers: {len(tally.problems)}; statuses of 500 and more: {bad}; lost: {tally.lost}")
    return good


def stopped_in_the_middle(load: Load, server: Server, clients: int) -> bool:
    """SIGTERM under full load; whether nothing that was accepted was lost."""
    threads = load.run(clients, 10**9)
    while load.tally.answered < 60:
        time.sleep(0.05)
    server.process.send_signal(signal.SIGTERM)
    start = time.monotonic()
    code = server.process.wait(120)
    seconds = time.monotonic() - start
    load.end.set()
    for thread in threads:
        thread.join()
    logged = Counter(line["status"] for line in server.lines())
    tally = load.tally
    print(f"stopped in {seconds:.1f} s, exit code {code}; clients saw {dict(tally.statuses)}, log says {dict(logged)}")
    print(f"answers sent {logged[200]}, received {tally.answered}; connections refused after the end {tally.refused}")
    for problem in tally.problems[:20]:
        print("WRONG", problem)
    return code == 0 and logged[200] == tally.answered and not tally.problems and not logged[500]


def main() -> None:
    """Run both, and exit with 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--queue", type=int, default=8)
    parser.add_argument("--pictures", type=Path, default=None)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = asked.model or fresh_model(folder / "model", "hubble-lab")
        pictures = make_pictures(folder, asked.pictures or bundled_folder("hubble"), Translator(model))
        random_pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 1), np.uint8)
        write_image(folder / "huge.jpg", resize(random_pixels / np.float32(255), 4000, 6000).clip(0, 1))
        write_image(folder / "too_huge.png", np.zeros((7000, 7000, 1), np.uint8))
        files = (folder / "huge.jpg").read_bytes(), (folder / "too_huge.png").read_bytes()
        held = folder / "temporary"
        held.mkdir()
        server = Server(model, held, asked.queue)
        load = Load(server.port, pictures, *files, folder)
        good = under_load(load, server, asked.clients, asked.requests)
        server.process.terminate()
        good &= server.process.wait(60) == 0
        server = Server(model, held, asked.queue)
        good &= stopped_in_the_middle(Load(server.port, pictures, *files, folder), server, asked.clients)
        left = [path.name for path in held.iterdir() if path.name != "log"]
        print(f"temporary files left: {left or 'none'}")
    raise SystemExit(0 if good and not left else 1)


if __name__ == "__main__":
    main()
