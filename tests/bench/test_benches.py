"""Each bench at a tiny size, through real processes: its metrics have the public names, and plausible values.

How fast anything was decides nothing here.
"""

import json
import math
from collections.abc import Mapping

import numpy as np
import pytest

from loa.bench import fanout, http, loudness, mouth_to_ear, preempt, programs, recordings, speech, trust
from loa.bench.result import Result

TINY_S = 1.5


def values(metrics: Mapping[str, float], *names: str) -> list[float]:
    """Those of these names, each a finite number, as they are after the way through JSON."""
    found = json.loads(Result("tiny", metrics).json())["metrics"]
    assert set(names) <= set(found), f"expected {names}, found {sorted(found)}"
    assert all(math.isfinite(value) for value in found.values()), found
    return [found[name] for name in names]


def test_fanout() -> None:
    ours, floor, ratio = values(fanout.run(50), "cpu_us_per_datagram", "floor_us_per_datagram", "ratio")
    assert ours > 0
    assert floor > 0
    assert ratio > 0


def test_preempt() -> None:
    names = ("speakers", "p50_ms", "p99_ms", "max_ms", "missed", "verified_p50_ms")
    count, p50, p99, most, missed, verified = values(preempt.run(100, emergencies=1), *names)
    assert count == 100
    assert missed == 0
    assert 0 < p50 <= p99 <= most
    assert verified > 0


def test_programs() -> None:
    count, cores, datagrams = values(programs.run(6, TINY_S), "programs", "cores", "datagrams_per_s")
    assert count == 6
    assert cores > 0
    assert datagrams > 0


def test_http() -> None:
    listeners, ratio, age_ms, admit_s, kib = values(
        http.run(40, 60, TINY_S), "listeners", "ratio", "p99_age_ms", "admit_s", "kib_per_listener"
    )
    assert listeners == 40
    assert ratio != 0
    assert age_ms >= 72, "no byte can be read before the last frame of its block begins"
    assert admit_s > 0
    assert kib >= 0


@pytest.mark.peer
def test_mouth_to_ear() -> None:
    p50_ms, p99_ms = values(mouth_to_ear.run(2.0), "p50_ms", "p99_ms")
    assert p99_ms >= p50_ms > mouth_to_ear.LATENCY_MS, "no sound before the latency that all keep"


def test_trust() -> None:
    names = ("speakers", "added_ms", "sign_cores", "chain_ms", "reconnect_s", "login_ms")
    count, *figures = values(trust.run(60), *names)
    assert count == 60
    assert all(figure > 0 for figure in figures)


@pytest.mark.peer
def test_loudness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loudness, "_sounds", lambda: iter([np.tile(recordings.voice(), 2)]))
    names = ("max_error_lu", "max_true_peak_dbtp", "cases", "microphone_us_per_frame")
    error_lu, peak_dbtp, cases, cost_us = values(loudness.run(), *names)
    assert error_lu < 1
    assert -6 < peak_dbtp <= -1
    assert cases == 3
    assert cost_us > 0


@pytest.mark.peer
def test_speech() -> None:
    """What it measures does not depend on the machine, so the targets hold here."""
    found = speech.run()
    assert all(3.8 <= pesq < 4.65 for pesq in values(found, "pesq_wb", "pesq_wb_32", "pesq_wb_live"))
    assert all(0.9 <= sti <= 1 for sti in values(found, "sti", "sti_32", "sti_live"))
