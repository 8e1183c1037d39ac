"""A live feed: sound that comes by itself, as a program reads it, whatever its network does.

Laws: `frame` never fails and never waits; silence stands for what is not there; after `close` it is silent
for ever. A microphone is a call: unheard everywhere, it ends. A radio or an encoder that pushes is a river:
it goes on unheard, and is back where it is now. Owned by the broadcast that it was made for.
"""

from typing import Protocol

from ..codecs.frame import Pcm
from ..codecs.meter import Level
from .broadcast import MicSource, PushSource, RadioSource, Source
from .microphone import MicrophoneSource


class LiveFeed(Protocol):
    """See the module. One `frame` each 20 ms, on the event loop."""

    @property
    def last_heard_us(self) -> int | None:
        """When sound last came; None before the first."""
        ...

    @property
    def level(self) -> Level:
        """Of the latest frame, before levelling."""
        ...

    @property
    def closed(self) -> bool:
        """True when nothing will ever come again: its broadcast ends."""
        ...

    @property
    def title(self) -> str:
        """What plays, as its sender says; empty when it says nothing."""
        ...

    def frame(self) -> Pcm:
        """The next 960 samples, levelled; silence when dry."""
        ...

    def close(self) -> None:
        """End it. Closing twice is fine."""
        ...


class Feeds(Protocol):
    """Makes the feed of a live source; None for a source that is on the shelf."""

    def __call__(self, source: Source, /) -> LiveFeed | None: ...


LiveKinds = MicSource | RadioSource | PushSource


def microphones_only(source: Source) -> LiveFeed | None:
    """The feeds of a node that relays nothing."""
    return MicrophoneSource() if isinstance(source, MicSource) else None
