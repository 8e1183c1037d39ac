import pytest

from loa.errors import InternalError
from loa.streamer.timeline import Timeline


def test_a_paused_program_goes_on_where_it_was_cut() -> None:
    line = Timeline()
    line.run(1_000_000, 0)
    assert line.position(999_999) is None
    assert line.position(1_020_000) == 20_000
    assert line.halt(1_500_000) == 500_000
    assert line.position(1_500_000) is None
    assert line.position(1_499_999) == 499_999
    line.run(3_000_000, 500_000)
    assert line.position(3_020_000) == 520_000
    assert line.position(1_200_000) == 200_000, "readers that lag still find what sounded then"


def test_halting_before_it_began_loses_nothing() -> None:
    line = Timeline()
    line.run(2_000_000, 60_000)
    assert line.halt(1_980_000) == 60_000
    assert line.position(2_000_000) is None


def test_it_runs_once() -> None:
    line = Timeline()
    line.run(0, 0)
    with pytest.raises(InternalError):
        line.run(20_000, 0)
    line.halt(60_000)
    with pytest.raises(InternalError):
        line.halt(80_000)
    with pytest.raises(InternalError):
        line.run(40_000, 0)
