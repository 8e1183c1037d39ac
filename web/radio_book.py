"""The radios in memory, and the news of them: what an order needs must not wait for a database.

Laws: the database is written first; an event of a radio says all of it as it is now, at most twice a second,
to whoever may know its place. Owned by the desk, used on the loop.
"""

import asyncio
from collections.abc import Callable, Iterator

from ..errors import NotFoundError
from ..station.radios import Radio
from ..station.station import Station
from ..streamer.broadcast import RadioSource
from ..streamer.sources.radio_pipe import AddressState, RadioState
from ..streamer.sources.radios import Radios
from .breath import Breath
from .event_hub import EventHub
from .live_models import RadioEvent, RadioGoneEvent
from .model import moment
from .radio_models import AddressOut, RadioOut
from .scope import Scope
from .telling import event_bytes

GATHER_S = 0.5


class RadioBook:
    """See the module. Empty until `load`; `run` tells."""

    def __init__(self, station: Station, relays: Radios, hub: EventHub) -> None:
        self._station, self._relays, self._hub = station, relays, hub
        self._radios: dict[str, Radio] = {}
        self._marked: dict[str, str] = {}
        """And the place of each, which one that is gone no longer has."""
        self._wake = asyncio.Event()

    async def load(self) -> Callable[[], None]:
        """From the database. Returns how to stop listening to the relays."""
        self._radios = {radio.id: radio for radio in await self._station.radios.list()}
        return self._relays.subscribe(self.changed)

    def __iter__(self) -> Iterator[Radio]:
        """By name."""
        return iter(sorted(self._radios.values(), key=lambda radio: (radio.name, radio.id)))

    def get(self, radio_id: str) -> Radio | None:
        return self._radios.get(radio_id)

    def source(self, radio_id: str) -> RadioSource:
        """For an order. NotFoundError."""
        radio = self._radios.get(radio_id)
        if radio is None:
            raise NotFoundError(f"radio {radio_id!r} does not exist, expected the id of one that does")
        return RadioSource(radio.id, radio.addresses, radio.name)

    def put(self, radio: Radio) -> None:
        self._radios[radio.id] = radio
        self.changed(radio.id)

    def drop(self, radio_id: str) -> None:
        self.changed(radio_id)
        self._radios.pop(radio_id, None)

    def changed(self, radio_id: str) -> None:
        """Something about it is to be told."""
        radio = self._radios.get(radio_id)
        if radio is not None:
            self._marked[radio_id] = radio.place
            self._wake.set()

    def out(self, radio: Radio) -> RadioOut:
        """As it stands now."""
        state = self._relays.states.get(radio.id)
        told = state or RadioState()
        return RadioOut(
            id=radio.id,
            place=radio.place,
            name=radio.name,
            addresses=_addresses(radio, state),
            on_air=state is not None,
            sounding=told.sounding,
            heard=told.title,
            codec=told.codec,
            station=told.name,
            switches=told.switches,
            faults=told.faults,
            format_changes=told.format_changes,
            reserve_ms=told.delay_ms,
            created_at=moment(radio.created_us),
        )

    async def run(self) -> None:
        """Tell what was marked, until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHER_S)
            self._wake.clear()
            marked, self._marked = self._marked, {}
            breath = Breath()
            for name, place in marked.items():
                await self._tell(name, place, breath)

    async def _tell(self, name: str, place: str, breath: Breath) -> None:
        radio = self._radios.get(name)
        made = event_bytes(RadioEvent(radio=self.out(radio)) if radio else RadioGoneEvent(id=name))

        def told(scope: Scope) -> bytes | None:
            return made if scope.knows(place) else None

        await self._hub.publish(f"radio:{name}", told, breath)


def _addresses(radio: Radio, state: RadioState | None) -> list[AddressOut]:
    """A relay that began before its radio was changed has other addresses: nothing is known of these."""
    stand = state.addresses if state and len(state.addresses) == len(radio.addresses) else None
    found: list[AddressState | None] = list(stand) if stand else [None] * len(radio.addresses)
    return [
        AddressOut.model_validate(
            {
                "address": address,
                "state": one.state if one else "unknown",
                "error": (one.error or None) if one else None,
                "failures": one.failures if one else 0,
            }
        )
        for address, one in zip(radio.addresses, found, strict=True)
    ]
