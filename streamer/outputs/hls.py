"""HLS: `GET /hls/<place>/index.m3u8`, so that any number of citizens can listen behind any cache.

Laws: the playlist of a place may be kept for a second, a segment for as long as anyone likes: its bytes never
change, and they are the same for every place that plays the program; where an emergency begins the piece
before it ends, so that the list goes on over it and back; a place is followed while somebody asks for its
playlist, and no more than `MAX_PLACES` are. Owned by the composition root, which runs `run()` and passes on
what happens on the air.
"""

import asyncio

from aiohttp import hdrs, web

from ...clock import Clock
from ...codecs.frame import MP3_FRAME_US
from ..blocks import PacketSource
from ..broadcast import AirEvent, Overridden
from ..egress import GRACE_US, MountSource
from ..mount_answer import CORS, plain
from ..pacer import Pace, Pacer
from .hls_tape import Tapes
from .hls_track import PAST_FRAMES, SEGMENT_FRAMES, SILENCE, Track

MAX_PLACES = 1_000
"""Each may play a program of its own: 300 KB of segments."""

IDLE_US = 60_000_000
"""Nobody has asked for so long: whoever listened asks every two seconds."""

STEP_US = 240_000
PLACES_AT_ONCE = 16
"""A segment is 16 KB of copying: this many are less than a millisecond."""

SEGMENTS = "/hls/segments/"
PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
SEGMENT_TYPE = "audio/mpeg"


class _Followed:
    """A place whose playlist is asked for."""

    def __init__(self, track: Track, asked_us: int) -> None:
        self.track = track
        self.asked_us = asked_us
        self.text: str | None = None


class Hls:
    def __init__(
        self, air: MountSource, clock: Clock, *, pace: Pace | None = None, max_places: int = MAX_PLACES
    ) -> None:
        self._air = air
        self._clock = clock
        self._pace = pace if pace is not None else Pacer(clock)
        self._max_places = max_places
        self._followed: dict[str, _Followed] = {}
        self._tapes = Tapes()
        self._changed_us: int | None = None
        self._someone = asyncio.Event()
        self.refused = 0

    @property
    def places(self) -> int:
        """How many are being followed."""
        return len(self._followed)

    @property
    def segments(self) -> int:
        """How many have been built since the start."""
        return self._tapes.built

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get(
            SEGMENTS + "{program:[0-9a-f]{16}|silence}/{frames:[0-9]+-[0-9]+}.mp3",
            self.segment,
            allow_head=True,
        )
        router.add_get("/hls/{path:.+}/index.m3u8", self.playlist, allow_head=True)
        router.add_options("/hls/{path:.+}", self.preflight)

    async def run(self) -> None:
        """Cut what is due until cancelled; rest while nobody listens."""
        try:
            while True:
                if not self._followed:
                    self._someone.clear()
                    await self._someone.wait()
                await self._pace.until(self._clock.now_us() + STEP_US)
                await self._step(self._clock.now_us())
        finally:
            self._followed.clear()
            self._tapes.keep_only(set(), 0)

    def on_air_event(self, event: AirEvent) -> None:
        """Look, when all that changes at this instant has changed, what the places play now."""
        if isinstance(event, Overridden) and self._followed:
            if self._changed_us is None:
                asyncio.get_running_loop().call_soon(self._follow)
            self._changed_us = event.at_us

    async def preflight(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=204, headers=CORS)

    async def playlist(self, request: web.Request) -> web.StreamResponse:
        """GET and HEAD of a place's playlist; begins to follow the place."""
        path = request.match_info["path"]
        place = self._air.resolve(path)
        if place is None:
            return _gone(f"no place {path!r}: expected an id or a path of names, as in dong-thap/cao-lanh")
        followed = self._followed.get(place)
        if followed is None:
            if len(self._followed) >= self._max_places:
                self.refused += 1
                return plain(503, f"HLS is made for {self._max_places} places already: expected fewer")
            followed = self._begin(place)
        followed.asked_us = self._clock.now_us()
        if followed.text is None:
            followed.text = followed.track.playlist(SEGMENTS)
        headers = {hdrs.CONTENT_TYPE: PLAYLIST_TYPE, hdrs.CACHE_CONTROL: "public, max-age=1", **CORS}
        return web.Response(body=followed.text.encode(), headers=headers)

    async def segment(self, request: web.Request) -> web.StreamResponse:
        """GET and HEAD of a piece of a program."""
        name = f"{request.match_info['program']}/{request.match_info['frames']}.mp3"
        data = self._tapes.segment(name)
        if data is None:
            return _gone(
                f"no segment {name!r}: expected one that a playlist has listed in the last half minute"
            )
        headers = {
            hdrs.CONTENT_TYPE: SEGMENT_TYPE,
            hdrs.CACHE_CONTROL: "public, max-age=3600, immutable",
            **CORS,
        }
        return web.Response(body=data, headers=headers)

    def _begin(self, place: str) -> _Followed:
        """Follow a place, from what is known of the last seconds."""
        end = self._whole()
        first = end - end % SEGMENT_FRAMES - PAST_FRAMES
        program = self._air.program_at(place)
        past = [(first, SILENCE)]
        if program is not None:
            self._tapes.hold(program, end)
            known = next((j for j in range(first, end) if self._tapes.has(program.id, j)), end)
            past = [(known, program.id)] if known == first else [*past, (known, program.id)]
        followed = self._followed[place] = _Followed(Track(first, past), self._clock.now_us())
        self._cut(followed, end)
        self._someone.set()
        return followed

    def _follow(self) -> None:
        at_us, self._changed_us = self._changed_us or 0, None
        for place, followed in self._followed.items():
            program = self._air.program_at(place)
            name = program.id if program is not None else SILENCE
            if name != followed.track.playing:
                self._hold(program, at_us)
                followed.track.change(at_us, name)

    def _hold(self, program: PacketSource | None, at_us: int) -> None:
        if program is not None:
            self._tapes.hold(program, min(self._whole(), at_us // MP3_FRAME_US))

    async def _step(self, now_us: int) -> None:
        end = self._whole()
        self._tapes.read(end)
        for n, (place, followed) in enumerate(list(self._followed.items())):
            if now_us - followed.asked_us > IDLE_US:
                del self._followed[place]
                continue
            self._cut(followed, end)
            if n % PLACES_AT_ONCE == PLACES_AT_ONCE - 1:
                await asyncio.sleep(0)
        needed = {program for f in self._followed.values() for program in f.track.programs}
        self._tapes.keep_only(needed, end)

    def _cut(self, followed: _Followed, end: int) -> None:
        for piece in followed.track.due(end):
            self._tapes.cut(piece)
            followed.text = None

    def _whole(self) -> int:
        """Every frame before this one is there, or never will be."""
        return (self._clock.now_us() - GRACE_US) // MP3_FRAME_US


def _gone(text: str) -> web.Response:
    answer = plain(404, text)
    answer.headers[hdrs.CACHE_CONTROL] = "no-store"
    return answer
