"""How loud the speakers are told to be: orders signed, stored, sent, and said again to each that comes back.

Laws: an order is stored before it is sent; versions only grow, so that the latest stands at every speaker
however messages cross; answers come from memory. Implements `VolumeOrders` for the web. Used on the loop
only.
"""

import asyncio
from collections.abc import Callable, Sequence

from .clock import Clock
from .station.volumes import Loudness, StoredVolume, Volumes
from .streamer.links import Links
from .streamer.territory import Territory
from .trust.statements import Statement, VolumeOrder, build_statement, parse_statement
from .wire.control import Volume, build_control


class VolumeBook:
    """See the module. Empty until `load`."""

    def __init__(
        self,
        volumes: Volumes,
        sign: Callable[[VolumeOrder], Statement],
        clock: Clock,
        territory: Callable[[], Territory],
    ) -> None:
        """`sign`: with the key of who may order volumes; ConfigError while it is away."""
        self._volumes, self._sign, self._clock, self._territory = volumes, sign, clock, territory
        self._orders: dict[str, StoredVolume] = {}
        self._ordering = asyncio.Lock()
        self._links: Links | None = None

    async def load(self) -> None:
        """What was ordered before."""
        self._orders = {order.target: order for order in await self._volumes.list()}

    def send_by(self, links: Links) -> None:
        """From now on orders go out; what links ask `messages` for needs this book first."""
        self._links = links

    def of(self, target: str) -> Loudness | None:
        """The latest order for exactly this speaker or place."""
        order = self._orders.get(target)
        return order.loudness if order else None

    async def order(self, target: str, wanted: Loudness, by: str | None) -> None:
        """`target`: a speaker's id or that of a place; `by`: the account (None: it is gone)."""
        async with self._ordering:
            known = self._orders.get(target)
            version = max(self._clock.now_us(), known.version + 1 if known else 0)
            content = VolumeOrder(target, version, wanted.volume_db, wanted.emergency_floor_db, wanted.muted)
            order = StoredVolume(target, version, wanted, build_statement(self._sign(content)), by)
            await self._volumes.put(order)
            self._orders[target] = order
        self._send(order)

    async def sign_anew(self, signer: str) -> None:
        """The key `signer` signs from now on: what others have signed is ordered again, by whom it was."""
        for target, order in list(self._orders.items()):
            stale = parse_statement(order.statement).key_id != signer
            if stale and self._orders.get(target) == order:
                await self.order(target, order.loudness, order.ordered_by)

    def forget(self, target: str) -> None:
        """It is gone, and its order with it."""
        self._orders.pop(target, None)

    def messages(self, speaker: str, place: str) -> Sequence[bytes]:
        """All that rules over a speaker there, or would if nearer orders were not: from the root down."""
        targets = (*self._territory().ancestry(place), speaker)
        return [_message(self._orders[target]) for target in targets if target in self._orders]

    def _send(self, order: StoredVolume) -> None:
        if self._links is None:
            return
        if order.target in self._territory():
            self._links.broadcast_control(self._territory().covering([order.target]), _message(order))
        else:
            self._links.tell(order.target, _message(order))


def _message(order: StoredVolume) -> bytes:
    return build_control(Volume(parse_statement(order.statement)))
