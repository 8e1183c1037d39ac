"""The parts of a push without a line: evenness, fades, haste, the worker's words."""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.codecs.frame import FRAME_SAMPLES, FRAME_US, Pcm
from loa.errors import ProtocolError
from loa.streamer.sources.push_feed import BURST_US, Allowance, PushFeed
from loa.streamer.sources.push_pipe import PushNews, build_news, parse_news
from loa.streamer.sources.radio_pipe import HEAD


def loud() -> Pcm:
    return np.full(FRAME_SAMPLES, 8000, np.int16)


def test_pages_of_a_second_go_out_evenly_from_the_second_gap_on() -> None:
    feed = PushFeed(lambda _: None)
    silent = []
    for tick in range(1500):
        if tick % 50 == (3 if (tick // 50) % 3 == 1 else 0):  # a second at once, at times 60 ms late
            for _ in range(50):
                feed.push(loud(), tick * FRAME_US)
        if not feed.frame().any():
            silent.append(tick)
    assert max(silent) < 300
    assert feed.counters.underruns <= 3
    assert feed.delay_samples < 1.5 * 48_000


def test_a_change_of_source_is_a_fade_and_never_a_cut() -> None:
    feed = PushFeed(lambda _: None)
    for _ in range(20):
        feed.push(loud(), 0)
    feed.part()
    out = np.concatenate([feed.frame() for _ in range(25)]).astype(int)
    heard = np.flatnonzero(out)
    assert heard.size
    assert np.abs(np.diff(out[heard[0] :])).max() < 100, "8000 to 0 in one sample is a click"


def test_a_closed_feed_is_silent_takes_nothing_and_lets_go_once() -> None:
    gone: list[PushFeed] = []
    feed = PushFeed(gone.append)
    feed.push(loud(), 1)
    feed.close()
    feed.close()
    feed.push(loud(), 2)
    assert gone == [feed]
    assert feed.last_heard_us == 1
    assert not feed.frame().any()


def test_a_live_source_never_waits_and_one_that_pushes_a_file_is_slowed_to_time() -> None:
    live, now_us = Allowance(0), 0
    for _ in range(10_000):
        assert live.take(FRAME_SAMPLES, now_us) == 0
        now_us += FRAME_US - 10  # its clock is 500 ppm fast
    hasty, now_us, waited_s, frames = Allowance(0), 0, 0.0, 10_000
    for _ in range(frames):
        wait_s = hasty.take(FRAME_SAMPLES, now_us)
        waited_s += wait_s
        now_us += int(wait_s * 1e6)
    assert waited_s == pytest.approx(frames * FRAME_US / 1e6 - BURST_US / 1e6, rel=0.01)


def test_news_go_over_the_pipe_and_back() -> None:
    news = PushNews("mp3float", 3, 1, "hỏng")
    made = build_news(news)
    kind, length = HEAD.unpack(made[: HEAD.size])
    assert kind == b"S"
    assert length == len(made) - HEAD.size
    assert parse_news(made[HEAD.size :]) == news


@given(st.binary(max_size=200))
def test_any_bytes_are_news_or_a_protocol_error(body: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert isinstance(parse_news(body), PushNews)


@pytest.mark.parametrize("change", [{"faults": -1}, {"faults": 1e400}, {"codec": None, "faults": "x"}])
def test_news_out_of_bounds_are_refused(change: dict[str, object]) -> None:
    said = {"codec": "a", "faults": 0, "format_changes": 0, "error": ""} | change
    with pytest.raises(ProtocolError):
        parse_news(json.dumps(said).encode())
