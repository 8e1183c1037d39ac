"""A microphone's token: one program, one short while to call in, nothing after the end."""

from loa.clock import VirtualClock
from loa.web.microphone_tokens import CALL_WITHIN_US, MicrophoneTokens

ONE, OTHER = "0000000000000001", "0000000000000002"


def test_it_opens_its_program_only() -> None:
    tokens = MicrophoneTokens(VirtualClock())
    token, _ = tokens.issue(ONE)
    other, _ = tokens.issue(OTHER)
    assert tokens.check(ONE, token)
    assert not tokens.check(OTHER, token)
    assert not tokens.check(ONE, other)
    assert not tokens.check(ONE, "")
    assert not tokens.check(ONE, "\udcff")
    assert not tokens.check("nothing", token)


def test_the_first_call_must_come_soon() -> None:
    clock = VirtualClock()
    tokens = MicrophoneTokens(clock)
    late, expires_us = tokens.issue(ONE)
    soon, _ = tokens.issue(OTHER)
    assert tokens.check(OTHER, soon)
    clock.advance(CALL_WITHIN_US + 1)
    assert expires_us < clock.now_us()
    assert not tokens.check(ONE, late)
    assert tokens.check(OTHER, soon), "who has called in may hang up and call again"


def test_nothing_after_the_end() -> None:
    tokens = MicrophoneTokens(VirtualClock())
    token, _ = tokens.issue(ONE)
    tokens.revoke(ONE)
    tokens.revoke(ONE)
    assert not tokens.check(ONE, token)
