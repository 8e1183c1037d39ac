"""Stored programs: uploading, pre-listening, removing."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import PurePath

from aiohttp import BodyPartReader, web
from aiohttp.http import HttpProcessingError

from ..errors import InternalError
from ..station.act import Act
from ..station.programs import Program
from .air_models import ProgramOut
from .call import Call
from .problem import HttpError
from .route import Listing
from .sight import find_place, find_program, knows

IDLE_S = 30.0
"""Between two pieces of an upload: a phone on a bad line pauses, a dead one never speaks again."""
TITLE_BYTES = 2_000
CHUNK_BYTES = 256 * 1024


async def list_programs(call: Call) -> Listing[ProgramOut]:
    """Newest first."""
    call.require()
    return Listing(_programs(call))


def _programs(call: Call) -> Iterator[ProgramOut]:
    for program in list(call.desk.directory.programs.values()):
        if knows(call, program.place):
            yield call.desk.view.program(program)


async def upload_program(call: Call) -> ProgramOut:
    """The audio is decoded, levelled and encoded once; watch the `program` events for progress."""
    call.require()
    if call.request.content_type != "multipart/form-data":
        raise HttpError(415, f"a body of type {call.request.content_type}", "body", "multipart/form-data")
    title, place, received = "", None, None
    async for part in _parts(call.request):
        if part.name == "title":
            title = await _text(part)
        elif part.name == "place" and place is None and received is None:
            place = await _place(call, part)
        elif part.name == "file" and received is None:
            received = await _receive(call, part, title, place or own_place(call))
        else:
            raise HttpError(
                422, f"a part named {part.name!r} here", "form", "`place` and `title` if you like, one `file`"
            )
    if received is None:
        raise HttpError(422, "no file in the form", "file", "a part named `file` with the audio")
    if title and title != received.title:
        received = await call.desk.station.programs.rename(received.id, title)
    call.desk.directory.put_program(received)
    call.desk.feed.program_changed(received.id)
    return call.desk.view.program(received)


async def _place(call: Call, part: BodyPartReader) -> str:
    """Whose the program is to be, if this person may say so."""
    place = find_place(call, await _text(part)).id
    call.require([place])
    return place


def own_place(call: Call) -> str:
    """The highest at which this person may keep programs."""
    top = call.desk.authority.scope(call.person, Act.EDIT_CONTENT).top()
    if top is None:
        raise InternalError("upload: nowhere to keep it, expected the authority to have said so before")
    call.about(places=[top])
    return top


async def _receive(call: Call, part: BodyPartReader, title: str, place: str) -> Program:
    name = PurePath((part.filename or "").replace("\\", "/")).stem
    return await call.desk.services.content.receive(
        _chunks(part),
        place=place,
        title=title or name or "?",
        now_us=call.desk.clock.now_us(),
        created_by=call.person.id,
        announced_bytes=call.request.content_length,
    )


async def _parts(request: web.Request) -> AsyncIterator[BodyPartReader]:
    """The fields of the form, one after the other; each must be read before the next."""
    try:
        form = await request.multipart()
        while True:
            async with asyncio.timeout(IDLE_S):
                part = await form.next()
            if part is None:
                return
            if not isinstance(part, BodyPartReader):
                raise HttpError(422, "a form within the form", "form", "plain fields")
            yield part
    except TimeoutError as error:
        raise _too_slow() from error
    except HttpProcessingError as error:
        raise HttpError(
            400, "a part whose head cannot be read", "body", "multipart/form-data as RFC 7578 says"
        ) from error
    except ValueError as error:
        raise HttpError(
            400, f"no readable form: {error}", "body", "multipart/form-data as RFC 7578 says"
        ) from error


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while not part.at_eof():
        try:
            async with asyncio.timeout(IDLE_S):
                chunk = await part.read_chunk(CHUNK_BYTES)
        except TimeoutError as error:
            raise _too_slow() from error
        if chunk:
            yield chunk


async def _text(part: BodyPartReader) -> str:
    data = b""
    async for chunk in _chunks(part):
        data += chunk
        if len(data) > TITLE_BYTES:
            raise HttpError(422, f"a {part.name} that is too long", f"{part.name}", "at most 200 characters")
    try:
        return data.decode().strip()
    except UnicodeDecodeError as error:
        raise HttpError(422, f"a {part.name} that is no UTF-8", f"{part.name}", "text in UTF-8") from error


def _too_slow() -> HttpError:
    return HttpError(408, "the upload has come to a halt", "body", f"something every {IDLE_S:.0f} s")


async def get_program(call: Call) -> ProgramOut:
    call.require()
    return call.desk.view.program(find_program(call, call.id))


async def hear_program(call: Call) -> web.StreamResponse:
    """Pre-listen; ranges are served."""
    call.require()
    find_program(call, call.id)
    path = await call.desk.services.content.mp3_path(call.id)
    headers = {"Content-Type": "audio/mpeg", "Cache-Control": "private, max-age=3600"}
    return web.FileResponse(path, headers=headers)


async def remove_program(call: Call) -> None:
    program = find_program(call, call.id)
    call.require([program.place])
    await call.desk.services.content.delete(program.id)
    if program.folder is not None:
        call.desk.recordings.forget(program.folder)
    call.desk.feed.program_changed(program.id)
    call.desk.directory.drop_program(program.id)
