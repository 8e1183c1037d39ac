"""Listening again: `GET /archive/<place>/index.json` and `/archive/<place>/audio.opus`, for anybody.

Laws: what was aired to everybody may be heard again by everybody, for as many days as the setting says (none
turns it off); not emergencies, which would frighten whoever finds them without their date, and not drills; a
place is named as at the mounts.
"""

from collections.abc import Callable

from aiohttp import web

from ..clock import Clock
from ..errors import NotFoundError
from ..wire.rank import BroadcastClass
from .archive import MAX_INDEX_S, MAX_PIECE_S, Aired, aired, told, window
from .archive_audio import Format, send_audio
from .archive_models import PieceQuery
from .desk import Desk
from .dispatch import parse_query

DAY_US = 86_400_000_000
CORS = {"Access-Control-Allow-Origin": "*"}
SETTLED_US = 60_000_000
"""What is older does not change any more, and may be kept by caches."""


class PublicArchive:
    """`resolve`: the id of a place by its id or any path; `days`: how long things may be heard again."""

    def __init__(self, desk: Desk, resolve: Callable[[str], str | None], clock: Clock, days: int) -> None:
        self._desk, self._resolve, self._clock, self._days = desk, resolve, clock, days

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/archive/{path:.+}/index.json", self.index, allow_head=False)
        router.add_get("/archive/{path:.+}/audio.opus", self.audio, allow_head=False)

    async def index(self, request: web.Request) -> web.StreamResponse:
        """As `GET /api/v1/archive`."""
        place, query = self._asked(request)
        found = await self._open(place, *window(query, MAX_INDEX_S))
        headers = {**CORS, "Cache-Control": "public, max-age=10"}
        body = told(place, found).model_dump_json(by_alias=True)
        return web.Response(body=body.encode(), content_type="application/json", headers=headers)

    async def audio(self, request: web.Request) -> web.StreamResponse:
        """What aired in this time, one thing after the other, without the silence between."""
        place, query = self._asked(request)
        from_us, until_us = window(query, MAX_PIECE_S)
        found = await self._open(place, from_us, until_us)
        runs = [run for _, _, some in found for run in some if run.file is not None]
        if not runs:
            raise NotFoundError(
                f"nothing of {query.from_:%Y-%m-%d %H:%M} is kept, expected a time of the index"
            )
        settled = until_us < self._clock.now_us() - SETTLED_US

        def dress(response: web.StreamResponse) -> None:
            response.headers.update(CORS)
            response.headers["Cache-Control"] = "public, max-age=86400" if settled else "no-store"

        name = f"loa-{place}-{query.from_:%Y%m%d-%H%M%S}"
        return await send_audio(request, self._desk.services.archive, runs, Format.OPUS, name, dress)

    def _asked(self, request: web.Request) -> tuple[str, PieceQuery]:
        path = request.match_info["path"]
        place = self._resolve(path)
        if place is None or place not in self._desk.air.territory or not self._days:
            raise NotFoundError(f"no archive of {path!r}: expected a place, and listening again turned on")
        query = parse_query(PieceQuery, request)
        assert isinstance(query, PieceQuery)  # noqa: S101 - it parses to the model it is given
        return place, query

    async def _open(self, place: str, from_us: int, until_us: int) -> list[Aired]:
        """What of it is for everybody."""
        since_us = max(from_us, self._clock.now_us() - self._days * DAY_US)
        if since_us >= until_us:
            return []
        return [
            one
            for one in await aired(self._desk, place, since_us, until_us)
            if one[1].cls is not BroadcastClass.EMERGENCY and not one[1].drill
        ]
