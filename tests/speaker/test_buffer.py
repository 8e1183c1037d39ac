"""The jitter buffer: whatever the network does to the order, a slot sounds once and nothing is kept for
ever."""

from hypothesis import given, settings
from hypothesis import strategies as st

from loa.speaker.buffer import CAPACITY, Put, SlotBuffer

puts = st.tuples(st.just("put"), st.integers(-10, CAPACITY + 40))
takes = st.tuples(st.just("take"), st.integers(0, 3))


@settings(deadline=None)
@given(st.lists(puts | takes, max_size=120))
def test_each_slot_sounds_once_with_its_first_packet(script: list[tuple[str, int]]) -> None:
    buffer, model, next_k = SlotBuffer(0), dict[int, bytes](), 0
    for number, (what, value) in enumerate(script):
        packet = number.to_bytes(4, "big")
        if what == "put":
            k = next_k + value
            if value < 0:
                expected = Put.LATE
            elif value >= CAPACITY:
                expected = Put.AHEAD
            elif k in model:
                expected = Put.DUPLICATE
            else:
                expected, model[k] = Put.STORED, packet
            assert buffer.put(k, packet) is expected
        else:
            k = next_k + value
            assert buffer.take(k) == model.get(k)
            next_k = k + 1
            model = {ahead: kept for ahead, kept in model.items() if ahead >= next_k}
        assert len(buffer) == len(model) <= CAPACITY
        assert buffer.first() == min(model, default=None)


def test_passing_never_goes_back() -> None:
    buffer = SlotBuffer(10)
    buffer.pass_to(5)
    assert buffer.put(9, b"x") is Put.LATE


def test_a_long_jump_forgets_all_that_passed() -> None:
    buffer = SlotBuffer(0)
    for k in (1, 2, 200):
        buffer.put(k, b"x")
    buffer.pass_to(1_000_000)
    assert len(buffer) == 0
    buffer.pass_to(1_000_100)
    assert buffer.next_k == 1_000_100
