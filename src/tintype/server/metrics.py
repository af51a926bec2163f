"""Figures about the server for Prometheus; each app has its own registry."""

from __future__ import annotations

from typing import final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from tintype.server.jobs import WorkQueue

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_PICTURES = (1, 2, 3, 4, 6, 8, 12, 16, 32)


@final
class Metrics:
    """What is counted."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        own = self._registry
        self._requests = Counter("tintype_requests", "Requests answered.", ["route", "status"], registry=own)
        self._seconds = Histogram(
            "tintype_request_seconds", "From the first byte to the last.", ["route"], buckets=_SECONDS, registry=own
        )
        self._received = Counter("tintype_received_bytes", "Bytes of the bodies of requests.", registry=own)
        self._sent = Counter("tintype_sent_bytes", "Bytes of the bodies of answers.", registry=own)
        self._batches = Histogram(
            "tintype_batch_pictures", "Pictures in a run of a network.", buckets=_PICTURES, registry=own
        )
        self._waiting = Gauge("tintype_queue_waiting", "Requests that wait for their turn.", registry=own)
        self._in_work = Gauge("tintype_in_work", "Requests in work.", registry=own)
        ProcessCollector(registry=self._registry)  # with the resident memory

    def watch(self, queue: WorkQueue) -> None:
        """Show how long a queue is."""
        self._waiting.set_function(lambda: queue.waiting)
        self._in_work.set_function(lambda: queue.in_work)

    def joined(self, pictures: int) -> None:
        """Count a run of a network."""
        self._batches.observe(pictures)

    def answered(self, route: str, status: int, seconds: float, received: int, sent: int) -> None:
        """Count a request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        self._received.inc(received)
        self._sent.inc(sent)

    def text(self) -> bytes:
        """All of it, in the text format of Prometheus."""
        return generate_latest(self._registry)
