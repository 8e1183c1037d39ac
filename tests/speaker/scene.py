"""A speaker at work and an attacker who strikes: what the tests of attacks share."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loa.wire.control import Control

SECOND_US = 1_000_000


@dataclass
class Scene:
    """A speaker at work, and an attacker who strikes."""

    world: Any
    make_rig: Callable[..., Any]
    rig: Any

    def strike(self, *blows: bytes | Control) -> None:
        """Send them, and let time pass: what waits for something is thrown away in the end."""
        rig = self.rig
        self.before, self.struck_us = Counter(self.refusals()), rig.now_us
        for blow in blows:
            if isinstance(blow, bytes):
                rig.hear(blow)
            else:
                rig.order(blow)
        if rig.core.now_us(rig.local_us) is None:
            rig.now_us += 3 * SECOND_US
        else:
            rig.run(3)
        rig.carry_out(rig.core.tick(rig.local_us))

    def refusals(self) -> dict[str, int]:
        counts = self.rig.core.counters.snapshot()
        return {name: count for name, count in counts.items() if name.startswith("refused_")}

    def counted(self) -> dict[str, int]:
        return dict(Counter(self.refusals()) - self.before)

    def sounded(self) -> list[int]:
        return [at for at in self.rig.tape.loud_us() if at > self.struck_us]

    def siren(self, session: Any = None, **changes: Any) -> Any:
        """A sound order, by default of one who may."""
        return self.world.program(session, at_us=self.rig.now_us, **changes)

    def record(self) -> list[bytes]:
        """A second of something that was allowed, on tape, and its end heard; a start comes first."""
        music, tape = self.siren(), list[bytes]()

        def tap(data: bytes) -> tuple[int]:
            tape.append(data)
            return (20_000,)

        self.rig.play([music], self.rig.now_us + SECOND_US, transit=tap)
        self.rig.hear(music.end_datagram())
        self.rig.run(1)
        assert self.rig.tape.loud_us()
        return tape

    def reboot(self, later_us: int) -> None:
        """Another process with what the first one stored; the network's time is `later_us` from now."""
        self.world.at_us = self.rig.now_us + later_us
        self.rig = self.make_rig(self.world, memory=self.rig.core.memory())
