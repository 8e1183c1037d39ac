"""Which way datagrams come to this speaker: UDP where it works, the control link where it does not.

    OFF --welcome--> PROBING --cookie--> CONFIRMING --attached--> ATTACHED
                        ^                     |                       |
                        +----- no answer -----+----- no answer -------+

Laws: UDP is asked for only by an address that answered; a program that sounds and brings no datagram for
`SILENCE_US` turns the speaker to its control link at once; back to UDP only when it is attached, and later
each time that it failed. Losing the control link changes nothing here: what flows goes on flowing.

Pure: takes events and `now_us`, returns what to send. Owned by the agent.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from ..wire.report import Transport
from .backoff import Backoff

Endpoint: TypeAlias = tuple[str, int]

SILENCE_US = 300_000
"""Five datagrams of 60 ms in a row: no longer bad luck."""

KEEP_ALIVE_US = 20_000_000
"""Below the 30 s after which common NATs forget a UDP mapping (RFC 4787 asks for 2 min; few listen)."""

ANSWER_US = 1_000_000
"""How long an answer to a Confirm may take before it is asked again."""

TRIES = 3
"""Unanswered Confirms before the address is taken to be lost; unanswered Probes before the next endpoint."""

PROBE_S = (0.25, 30.0)
"""First and longest pause between Probes."""

RETRY_S = (30.0, 960.0)
"""First and longest time on the control link before UDP is tried again with audio."""

PROVEN_US = 5_000_000
"""Audio by UDP for so long: it works, and the next failure starts with the first pause again."""


class Phase(Enum):
    OFF = "off"
    PROBING = "probing"
    CONFIRMING = "confirming"
    ATTACHED = "attached"


@dataclass(frozen=True, slots=True)
class SendProbe:
    endpoint: Endpoint
    token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SendConfirm:
    endpoint: Endpoint
    token: bytes = field(repr=False)
    cookie: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TurnTo:
    """Tell the node which way datagrams shall come from now on."""

    via: Transport
    why: str


Action: TypeAlias = SendProbe | SendConfirm | TurnTo


class Path:
    def __init__(self, uniform: Callable[[float, float], float]) -> None:
        """`uniform(a, b)` draws evenly from a..b, so that speakers do not move in step."""
        self._uniform = uniform
        self._probe_wait = Backoff(*PROBE_S, uniform)
        self._retry_wait = Backoff(*RETRY_S, uniform)
        self.phase = Phase.OFF
        self.via = Transport.WS
        self._endpoints: tuple[Endpoint, ...] = ()
        self._chosen = 0
        self._token = b""
        self._cookie = b""
        self._tries = 0
        self._send_at_us = 0
        self._udp_again_us = 0
        self._listening_since_us: int | None = None
        self._udp_since_us = 0

    @property
    def endpoint(self) -> Endpoint | None:
        return self._endpoints[self._chosen] if self._endpoints else None

    def welcome(self, endpoints: tuple[Endpoint, ...], token: bytes, now_us: int) -> list[Action]:
        """A control link is up. A node that knows our token and address still is asked nothing anew."""
        if (endpoints, token) == (self._endpoints, self._token) and self.phase is Phase.ATTACHED:
            return [TurnTo(self.via, "link is back")]
        self._endpoints, self._token, self._chosen = endpoints, token, 0
        if not endpoints:
            self.phase, self.via = Phase.OFF, Transport.WS
            return [TurnTo(Transport.WS, "node offers no UDP")]
        self._probe_anew(now_us)
        self.via = Transport.WS
        return [TurnTo(Transport.WS, "UDP not attached yet"), *self.tick(now_us)]

    def cookie(self, cookie: bytes, now_us: int) -> list[Action]:
        """The node answered a Probe from our address, or a Confirm whose cookie has grown old."""
        if self.phase is Phase.OFF or not self._tries:
            return []
        if self.phase is Phase.PROBING:
            self.phase = Phase.CONFIRMING
        self._cookie, self._tries, self._send_at_us = cookie, 0, now_us
        return self.tick(now_us)

    def attached(self, cookie: bytes, now_us: int) -> list[Action]:
        """The node answered a Confirm: small datagrams pass both ways."""
        if self.phase not in (Phase.CONFIRMING, Phase.ATTACHED) or cookie != self._cookie:
            return []
        self.phase, self._tries = Phase.ATTACHED, 0
        self._send_at_us = now_us + int(KEEP_ALIVE_US * self._uniform(0.9, 1.0))
        self._probe_wait.reset()
        return self._turn_to_udp(now_us)

    def listening(self, now_us: int, program: bool) -> None:
        """Whether a program sounds here (so that datagrams are due) or nothing does."""
        if not program:
            self._listening_since_us = None
        elif self._listening_since_us is None:
            self._listening_since_us = now_us
            self._udp_since_us = now_us

    def heard_udp(self, now_us: int) -> None:
        """A verified datagram of the program that sounds came by UDP."""
        if self._listening_since_us is not None:
            self._listening_since_us = now_us
        if self.via is Transport.UDP and now_us - self._udp_since_us > PROVEN_US:
            self._retry_wait.reset()

    def due_us(self) -> int | None:
        """When `tick` has something to do next; None while there is nothing to wait for."""
        due = []
        if self.phase is not Phase.OFF:
            due.append(self._send_at_us)
        if self.via is Transport.UDP and self._listening_since_us is not None:
            due.append(self._listening_since_us + SILENCE_US)
        if self.via is Transport.WS and self.phase is Phase.ATTACHED:
            due.append(self._udp_again_us)
        return min(due, default=None)

    def tick(self, now_us: int) -> list[Action]:
        """What is due at `now_us`. Calling it early does no harm."""
        actions = self._watch(now_us)
        endpoint = self.endpoint
        if endpoint is None or self.phase is Phase.OFF or now_us < self._send_at_us:
            return actions
        if self.phase is Phase.PROBING:
            return [*actions, self._probe(now_us)]
        if self._tries >= TRIES:
            actions += self._lost(now_us)
            return [*actions, self._probe(now_us)]
        self._tries += 1
        self._send_at_us = now_us + ANSWER_US
        return [*actions, SendConfirm(endpoint, self._token, self._cookie)]

    def _watch(self, now_us: int) -> list[Action]:
        if self.via is Transport.WS:
            return self._turn_to_udp(now_us) if self.phase is Phase.ATTACHED else []
        if self._listening_since_us is None or now_us - self._listening_since_us < SILENCE_US:
            return []
        return self._turn_to_link(f"no datagram for {SILENCE_US // 1000} ms", now_us)

    def _turn_to_udp(self, now_us: int) -> list[Action]:
        if self.via is Transport.UDP or now_us < self._udp_again_us:
            return []
        self.via, self._udp_since_us = Transport.UDP, now_us
        if self._listening_since_us is not None:
            self._listening_since_us = now_us
        return [TurnTo(Transport.UDP, "attached")]

    def _turn_to_link(self, why: str, now_us: int) -> list[Action]:
        if self.via is Transport.WS:
            return []
        self.via = Transport.WS
        self._udp_again_us = now_us + int(self._retry_wait.next_s() * 1_000_000)
        return [TurnTo(Transport.WS, why)]

    def _lost(self, now_us: int) -> list[Action]:
        actions = self._turn_to_link("node does not answer by UDP", now_us)
        self._probe_anew(now_us)
        return actions

    def _probe_anew(self, now_us: int) -> None:
        self.phase, self._tries = Phase.PROBING, 0
        self._probe_wait.reset()
        self._send_at_us = now_us

    def _probe(self, now_us: int) -> Action:
        if self._tries and self._tries % TRIES == 0:
            self._chosen = (self._chosen + 1) % len(self._endpoints)
        self._tries += 1
        self._send_at_us = now_us + int(self._probe_wait.next_s() * 1_000_000)
        return SendProbe(self._endpoints[self._chosen], self._token)
