"""How loud: the orders for this speaker and the places above it.

Laws: the order nearest to the speaker rules (its own, then its place, up to the root); an emergency is never
below its floor, muted or not; without an order it is the full level. Pure; owned by the core.
"""

from collections.abc import Sequence

from ..trust.statements import VolumeOrder
from ..wire.rank import BroadcastClass


class Volumes:
    def __init__(self) -> None:
        self._orders: dict[str, VolumeOrder] = {}

    def put(self, order: VolumeOrder) -> None:
        self._orders[order.target] = order

    def forget(self, target: str) -> None:
        """Who ordered it had no right to, as it turns out."""
        self._orders.pop(target, None)

    def gain(self, cls: BroadcastClass, speaker: str, ancestry: Sequence[str]) -> float:
        """The factor for samples of a broadcast of this class."""
        for target in (speaker, *reversed(ancestry)):
            order = self._orders.get(target)
            if order is not None:
                return _gain(order, cls)
        return 1.0


def _gain(order: VolumeOrder, cls: BroadcastClass) -> float:
    if cls == BroadcastClass.EMERGENCY:
        quietest = order.emergency_floor_db
        return _factor(quietest if order.muted else max(order.volume_db, quietest))
    return 0.0 if order.muted else _factor(order.volume_db)


def _factor(db: float) -> float:
    return float(10 ** (db / 20))
