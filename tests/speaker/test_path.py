"""UDP where it works, the control link where it does not: the state machine on virtual time."""

import random

from loa.speaker.path import (
    KEEP_ALIVE_US,
    SILENCE_US,
    TRIES,
    Action,
    Path,
    Phase,
    SendConfirm,
    SendProbe,
    TurnTo,
)
from loa.wire.report import Transport

TOKEN, COOKIE = b"t" * 16, b"c" * 16
FIRST, SECOND = ("192.0.2.1", 7000), ("192.0.2.2", 7000)
SECOND_US = 1_000_000


def path() -> Path:
    return Path(random.Random(5).uniform)


def attach(subject: Path, now_us: int = 0) -> list[Action]:
    subject.welcome((FIRST,), TOKEN, now_us)
    subject.cookie(COOKIE, now_us + 10_000)
    return subject.attached(COOKIE, now_us + 20_000)


def run(subject: Path, from_us: int, to_us: int) -> list[tuple[int, Action]]:
    """Tick whenever something is due."""
    done: list[tuple[int, Action]] = []
    now_us = from_us
    for _ in range(10_000):
        due_us = subject.due_us()
        if due_us is None or due_us >= to_us:
            return done
        now_us = max(now_us, due_us)
        done += [(now_us, action) for action in subject.tick(now_us)]
    raise AssertionError("it ticks for ever without getting on")


def test_it_attaches_and_then_asks_for_udp() -> None:
    subject = path()
    assert subject.welcome((FIRST,), TOKEN, 0)[1:] == [SendProbe(FIRST, TOKEN)]
    assert subject.via is Transport.WS
    assert subject.cookie(COOKIE, 10) == [SendConfirm(FIRST, TOKEN, COOKIE)]
    assert subject.attached(COOKIE, 20) == [TurnTo(Transport.UDP, "attached")]
    assert (subject.phase, subject.via) == (Phase.ATTACHED, Transport.UDP)


def test_attached_with_another_cookie_is_a_guess() -> None:
    subject = path()
    subject.welcome((FIRST,), TOKEN, 0)
    subject.cookie(COOKIE, 10)
    assert subject.attached(b"x" * 16, 20) == []
    assert subject.phase is Phase.CONFIRMING


def test_keep_alives_go_out_within_twenty_seconds() -> None:
    subject = path()
    attach(subject)
    sent = run(subject, 20_000, 21 * SECOND_US)
    assert [action for _, action in sent][:1] == [SendConfirm(FIRST, TOKEN, COOKIE)]
    assert 0.9 * KEEP_ALIVE_US <= sent[0][0] - 20_000 <= KEEP_ALIVE_US


def test_a_program_without_datagrams_turns_to_the_link_after_300_ms() -> None:
    subject = path()
    attach(subject)
    subject.listening(SECOND_US, program=True)
    assert subject.tick(SECOND_US + SILENCE_US - 1) == []
    turned = subject.tick(SECOND_US + SILENCE_US)
    assert turned == [TurnTo(Transport.WS, "no datagram for 300 ms")]
    assert subject.via is Transport.WS


def test_datagrams_keep_it_on_udp() -> None:
    subject = path()
    attach(subject)
    subject.listening(SECOND_US, program=True)
    for now_us in range(SECOND_US, 3 * SECOND_US, 60_000):
        assert subject.tick(now_us) == []
        subject.heard_udp(now_us)
    assert subject.via is Transport.UDP


def test_silence_is_no_reason_when_nothing_is_on_air() -> None:
    subject = path()
    attach(subject)
    subject.listening(SECOND_US, program=True)
    subject.listening(SECOND_US + 1, program=False)
    assert subject.tick(5 * SECOND_US) == []


def test_udp_is_tried_again_later_each_time_it_fails() -> None:
    subject = path()
    attach(subject)
    subject.listening(SECOND_US, program=True)
    now_us, back = SECOND_US, []
    for _ in range(4):
        turns: list[tuple[int, Transport]] = []
        while len(turns) < 2:
            due_us = subject.due_us()
            assert due_us is not None
            now_us = max(now_us, due_us)
            for action in subject.tick(now_us):
                if isinstance(action, TurnTo):
                    turns.append((now_us, action.via))
                else:
                    subject.attached(COOKIE, now_us)
        assert [via for _, via in turns] == [Transport.WS, Transport.UDP]
        back.append(turns[1][0] - turns[0][0])
    assert 15 * SECOND_US <= back[0] <= 30 * SECOND_US
    assert back == sorted(back)
    assert back[-1] >= 4 * back[0]


def test_audio_that_flows_again_is_proof() -> None:
    subject = path()
    attach(subject)
    subject.listening(SECOND_US, program=True)
    subject.tick(2 * SECOND_US)
    assert subject.via.value == "ws"
    subject.attached(COOKIE, 20 * SECOND_US)
    assert subject.tick(40 * SECOND_US)[0] == TurnTo(Transport.UDP, "attached")
    for now_us in range(40 * SECOND_US, 50 * SECOND_US, 60_000):
        subject.heard_udp(now_us)
        subject.attached(COOKIE, now_us)
        assert not any(isinstance(action, TurnTo) for action in subject.tick(now_us))
    assert subject.via.value == "udp"


def test_an_address_that_stops_answering_is_probed_anew() -> None:
    subject = path()
    attach(subject)
    done = run(subject, 20_000, 40 * SECOND_US)
    kinds = [type(action) for _, action in done]
    assert kinds[:TRIES] == [SendConfirm] * TRIES
    assert kinds[TRIES] is TurnTo
    assert kinds[TRIES + 1] is SendProbe
    assert subject.via is Transport.WS


def test_probes_go_to_the_next_edge_and_back_off() -> None:
    subject = path()
    subject.welcome((FIRST, SECOND), TOKEN, 0)
    done = run(subject, 0, 300 * SECOND_US)
    probes = [(at_us, action.endpoint) for at_us, action in done if isinstance(action, SendProbe)]
    assert {endpoint for _, endpoint in probes} == {FIRST, SECOND}
    assert len(probes) < 30
    assert probes[-1][0] - probes[-2][0] >= 15 * SECOND_US


def test_a_cookie_that_grew_old_is_replaced_without_leaving_udp() -> None:
    subject = path()
    attach(subject)
    run(subject, 20_000, 21 * SECOND_US)
    fresh = b"d" * 16
    assert subject.cookie(fresh, 21 * SECOND_US) == [SendConfirm(FIRST, TOKEN, fresh)]
    subject.attached(fresh, 21 * SECOND_US)
    assert (subject.phase, subject.via) == (Phase.ATTACHED, Transport.UDP)


def test_a_cookie_nobody_asked_for_is_ignored() -> None:
    subject = path()
    attach(subject)
    assert subject.cookie(b"x" * 16, SECOND_US) == []
    assert subject.phase is Phase.ATTACHED


def test_the_link_coming_back_changes_nothing_that_flows() -> None:
    subject = path()
    attach(subject)
    assert subject.welcome((FIRST,), TOKEN, SECOND_US) == [TurnTo(Transport.UDP, "link is back")]
    assert subject.phase is Phase.ATTACHED


def test_a_node_without_udp_is_heard_over_the_link() -> None:
    subject = path()
    assert subject.welcome((), TOKEN, 0) == [TurnTo(Transport.WS, "node offers no UDP")]
    assert subject.due_us() is None
