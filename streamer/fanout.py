"""UDP fan-out: datagrams to contiguous runs of the line, sent by one thread beside the event loop.

Laws: the loop only hands over jobs; an urgent job overtakes everything between two chunks (law 4); the
ordinary queue is bounded and drops its oldest, counted. `AddressTable` is immutable: a change of who listens
makes a new one, and jobs under way keep theirs.
"""

import contextlib
import socket
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import numpy as np
import numpy.typing as npt
import structlog

from .sendmmsg import MAX_BATCH, SOCKADDR_BYTES, MessageBatch, Payloads, SendCounts, message_table

URGENT_JOBS = 500
"""Ten emergencies for a second: beyond it the kernel takes nothing, and the oldest is of no use."""

log = structlog.get_logger("fanout")

Slice = tuple[int, int]
"""A run [a, b) of places on the line."""

Indices = npt.NDArray[np.intp]

ORDINARY_CHUNK = 256
"""Datagrams between two looks for an emergency: about 0.8 ms of sending (`loa bench fanout`)."""

ORDINARY_JOBS = 50
"""One second of ticks. Whoever is that far behind sends only what is too old to play."""


class AddressTable:
    """Who listens by UDP, sorted by index on the line."""

    def __init__(self, seats: Iterable[tuple[int, bytes]]) -> None:
        """`seats`: (index of the place on the line, sockaddr_in6 of 28 bytes)."""
        ordered = sorted(seats)
        self.places: npt.NDArray[np.int64] = np.array([index for index, _ in ordered], np.int64)
        self._addresses = np.frombuffer(b"".join(a for _, a in ordered), np.uint8).reshape(-1, SOCKADDR_BYTES)
        self.messages = message_table(self._addresses)

    def __len__(self) -> int:
        return len(self.places)

    def seats(self, parcels: Sequence[Sequence[Slice]]) -> tuple[Indices, Indices]:
        """Everyone who gets something, parcel by parcel: row numbers, and the number of the parcel for each.

        All parcels of a job in one go: one by one they cost more than the system calls.
        """
        edges = np.array([edge for slices in parcels for run in slices for edge in run], np.int64)
        found = np.searchsorted(self.places, edges).reshape(-1, 2)
        counts = found[:, 1] - found[:, 0]
        ends = np.cumsum(counts)
        rows = np.arange(ends[-1] if len(ends) else 0) + np.repeat(found[:, 0] - ends + counts, counts)
        owners = np.repeat(np.arange(len(parcels)), [len(slices) for slices in parcels])
        return rows, np.repeat(owners, counts)


@dataclass(frozen=True, slots=True)
class Parcel:
    """One datagram and the places whose listeners get it."""

    data: bytes
    slices: Sequence[Slice]


@dataclass(frozen=True, slots=True)
class Volley:
    """Parcels that are sent together. What is urgent belongs to an emergency, and waits for nothing else."""

    parcels: Sequence[Parcel]
    urgent: bool


@dataclass(frozen=True, slots=True)
class _Job:
    table: AddressTable
    parcels: Sequence[Parcel]


class Fanout:
    """Owns the sending thread and its queues. `send` may be called from the loop only."""

    def __init__(self, sock: socket.socket) -> None:
        self.counts = SendCounts()
        self._table = AddressTable(())
        self._batch = MessageBatch(sock, self.counts)
        self._urgent: SimpleQueue[_Job] = SimpleQueue()
        self._ordinary: SimpleQueue[_Job] = SimpleQueue()
        self._wake: SimpleQueue[bool] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="udp-fanout", daemon=True)
        self._thread.start()

    @property
    def table(self) -> AddressTable:
        return self._table

    def use(self, table: AddressTable) -> None:
        """From the next job on, send by this table."""
        self._table = table

    def send(self, parcels: Sequence[Parcel], *, urgent: bool = False) -> None:
        """Hand over; returns at once. Everything in one call shares its system calls."""
        if not parcels or not len(self._table):
            return
        queue, most = (self._urgent, URGENT_JOBS) if urgent else (self._ordinary, ORDINARY_JOBS)
        while queue.qsize() >= most:
            self._drop_oldest(queue)
        queue.put(_Job(self._table, parcels))
        self._wake.put(True)

    def close(self) -> None:
        """Send what is queued, then end the thread."""
        self._wake.put(False)
        self._thread.join()

    def _drop_oldest(self, queue: SimpleQueue[_Job]) -> None:
        try:
            job = queue.get_nowait()
        except Empty:
            return
        self.counts.stale += len(job.table.seats([parcel.slices for parcel in job.parcels])[0])

    def _run(self) -> None:
        while self._wake.get():
            try:
                self._send_next()
            except Exception:  # the supervisor of sending: one bad job must not silence a province
                self.counts.failed += 1
                log.exception("a job of the fan-out failed")
        self._send_urgent()

    def _send_next(self) -> None:
        self._send_urgent()
        with contextlib.suppress(Empty):
            self._send(self._ordinary.get_nowait(), ORDINARY_CHUNK)

    def _send_urgent(self) -> None:
        while True:
            try:
                job = self._urgent.get_nowait()
            except Empty:
                return
            self._send(job, MAX_BATCH)

    def _send(self, job: _Job, chunk: int) -> None:
        rows, parcel_of = job.table.seats([parcel.slices for parcel in job.parcels])
        payloads = Payloads([parcel.data for parcel in job.parcels])
        iov = payloads.vectors[parcel_of]
        for first in range(0, len(rows), chunk):
            self._batch.send(job.table.messages, rows[first : first + chunk], iov[first : first + chunk])
            if chunk != MAX_BATCH and not self._urgent.empty():
                self._send_urgent()
