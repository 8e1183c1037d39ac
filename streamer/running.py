"""One broadcast while it lives: its order, its program, its voice, and the state people are told."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..codecs.marks import drill_mark
from ..codecs.tones import encoded
from ..errors import InternalError
from ..trust.keys import SigningKey
from ..wire.datagram import AudioPart, EndReason, Start, StartFlags, targets_hash
from ..wire.rank import Rank
from .broadcast import FileSource, MicSource, OnAir, Order, PushSource, RadioSource, State, ToneSource
from .clips import Clip
from .feed import Feeds, LiveFeed, LiveKinds
from .program import Program
from .voice import Voice

INLINE_TARGETS = 8
"""More are sent ahead as a list and named by its digest, so that a start keeps room for its audio."""


@dataclass(slots=True)
class Running:
    """`k` of the first frame is set when it goes on air; until then it waits for its first sound."""

    order: Order
    voice: Voice
    feed: LiveFeed | None
    asked_us: int
    started_us: int = 0
    ended_us: int | None = None
    reason: EndReason | None = None
    spoke: bool = False
    heard: str = ""

    @property
    def calls(self) -> bool:
        """A live call, which somebody makes and which is over when it is cut; a radio only flows by."""
        return isinstance(self.order.source, MicSource)

    @property
    def waiting(self) -> bool:
        return self.started_us == 0 and self.ended_us is None

    @property
    def program(self) -> Program:
        return self.voice.program

    def state(self, now_k: int) -> State:
        if self.ended_us is not None:
            return State.ENDED
        if self.waiting:
            return State.WAITING
        if not self.program.running:
            return State.PAUSED
        if self.feed is None:
            return State.PLAYING
        return State.LIVE if self.program.speaking(now_k) else State.CHIME

    def view(self, now_k: int, winning: int, places: int) -> OnAir:
        state, ended_us = self.state(now_k), self.ended_us
        return OnAir(self.order, state, self.started_us, winning, places, ended_us, self.reason, self.heard)

    def go(self, rank: Rank, grant: str) -> None:
        """Fix what its starts say, under `grant`."""
        self.started_us = rank.started_us
        targets = tuple(sorted(self.order.targets))
        self.voice.air(
            Start(
                broadcast=self.order.id,
                program=self.order.program_id,
                cls=rank.cls,
                detail=rank.detail,
                level=rank.level,
                flags=StartFlags.DRILL if self.order.drill else StartFlags.NONE,
                started_us=rank.started_us,
                expires_us=self.order.expires_us,
                targets=targets if len(targets) <= INLINE_TARGETS else targets_hash(targets),
                grant=grant,
                audio=AudioPart(0, 0, ()),
            )
        )


def prepare(order: Order, key: SigningKey, packing: int, feeds: Feeds, now_us: int) -> Running:
    """The program and voice of an order that has just been accepted."""
    live = feeds(order.source)
    if (live is not None) != isinstance(order.source, LiveKinds):
        raise InternalError(f"order {order.id}: no feed for {order.source}, expected one for what is live")
    program = Program(order.program_id, _clips(order), live)
    return Running(order, Voice(program, key, packing), live, asked_us=now_us)


def _clips(order: Order) -> Sequence[Clip]:
    """What is encoded already. A drill says what it is, first and last (a live voice has no last clip)."""
    mark = [drill_mark()] if order.drill else []
    chime = [encoded(order.chime)] if order.chime else []
    match order.source:
        case FileSource(clip, repeat):
            return [*mark, *([*chime, clip] * repeat), *mark]
        case ToneSource(repeat):
            return [*mark, *(chime * repeat), *mark]
        case MicSource() | RadioSource() | PushSource():
            return [*mark, *chime]
