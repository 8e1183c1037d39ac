"""Typed bulletins: the voices, how a text is read, how it sounds, and the program that it becomes."""

from collections.abc import Iterable, Iterator

from aiohttp import web

from ..codecs.bulletin import HOUSE_BED, Bulletin, Part, Pauses
from ..codecs.tones import Chime
from ..codecs.voices import Voice
from ..errors import ConflictError, NotFoundError, ProtocolError
from ..station.act import Act
from ..station.content import TEXT
from ..station.programs import ProgramState
from ..station.text_note import parse_note
from ..station.texts import note_chunks
from .air_models import ProgramOut
from .call import Call
from .model import ChimeName
from .programs import own_place
from .route import Listing, Route
from .sight import find_place, find_program
from .text_models import (
    BedOut,
    PartIn,
    PartOut,
    PausesOut,
    ProgramBedIn,
    ReadingOut,
    SpokenIn,
    TextIn,
    TextOut,
    VoiceOut,
)

AUDIO = "audio/mpeg"


def text_routes(api: str) -> tuple[Route, ...]:
    path, tag, edit = f"{api}/texts", "content", Act.EDIT_CONTENT
    unfit = (404, 409)
    return (
        Route("GET", f"{api}/voices", list_voices, "Voices that read texts out", tag, act=Act.SEE),
        Route("POST", path, add_text, "Type a bulletin", tag, act=edit, status=202, errors=(*unfit, 503)),
        Route(
            "POST",
            f"{path}/preview",
            preview_text,
            "Hear a bulletin",
            tag,
            act=edit,
            media=AUDIO,
            errors=(*unfit, 503),
        ),
        Route("POST", f"{path}/reading", read_text, "How a text is read", tag, act=edit, errors=(404,)),
        Route("GET", f"{path}/{{id}}", get_text, "A bulletin as it was typed", tag, act=Act.SEE),
    )


async def list_voices(call: Call) -> Listing[VoiceOut]:
    """Vietnamese ones before others; the best of a language first."""
    call.require()
    return Listing(_voices(call.desk.services.texts.voices))


def _voices(voices: Iterable[Voice]) -> Iterator[VoiceOut]:
    languages: set[str] = set()
    for voice in voices:
        first = voice.language not in languages
        languages.add(voice.language)
        yield VoiceOut(
            id=voice.id, language=voice.language, name=voice.name, engine=voice.engine, first=first
        )


async def add_text(call: Call, body: TextIn) -> ProgramOut:
    """It is spoken, mixed, levelled and encoded once; watch the `program` events for progress."""
    call.require()
    if body.place is None:
        place = own_place(call)
    else:
        place = find_place(call, body.place).id
        call.require([place])
    bulletin = _bulletin(call, body)
    await call.desk.services.texts.check(bulletin)
    program = await call.desk.services.content.receive(
        note_chunks(bulletin),
        place=place,
        title=body.title,
        now_us=call.desk.clock.now_us(),
        created_by=call.person.id,
        kind=TEXT,
    )
    call.desk.directory.put_program(program)
    call.desk.feed.program_changed(program.id)
    return call.desk.view.program(program)


async def preview_text(call: Call, body: SpokenIn) -> web.StreamResponse:
    """The first minute, as it will sound."""
    call.require()
    bulletin = _bulletin(call, body)
    await call.desk.services.texts.check(bulletin)
    sound = await call.desk.services.texts.preview(bulletin)
    return web.Response(body=sound, content_type=AUDIO, headers={"Cache-Control": "no-store"})


async def read_text(call: Call, body: PartIn) -> ReadingOut:
    """Abbreviations, dates, numbers and the like in the words that will be spoken."""
    call.require()
    paragraphs = await call.desk.services.texts.reading(Part(body.language, body.text, body.voice))
    return ReadingOut(said="\n\n".join(paragraphs))


async def get_text(call: Call) -> TextOut:
    """To type it anew from there. Also of one that could not be read out."""
    call.require()
    program = find_program(call, call.id)
    note = await call.desk.services.content.text(program.id)
    try:
        bulletin = parse_note(note)
    except ProtocolError as error:
        raise NotFoundError(f"the text of {program.title!r} is damaged, expected a new one") from error
    return TextOut(
        id=program.id,
        title=program.title,
        place=program.place,
        parts=[PartOut(language=part.language, text=part.text, voice=part.voice) for part in bulletin.parts],
        speed=bulletin.speed,
        pauses=PausesOut(
            comma_s=bulletin.pauses.comma_s,
            sentence_s=bulletin.pauses.sentence_s,
            paragraph_s=bulletin.pauses.paragraph_s,
        ),
        chime=ChimeName(bulletin.chime.value) if bulletin.chime else None,
        bed=_bed_out(bulletin.bed),
    )


def _bulletin(call: Call, body: SpokenIn) -> Bulletin:
    """MediaError for what nobody can read out."""
    return Bulletin(
        parts=tuple(Part(part.language, part.text, part.voice) for part in body.parts),
        speed=body.speed,
        pauses=Pauses(body.pauses.comma_s, body.pauses.sentence_s, body.pauses.paragraph_s),
        chime=Chime(body.chime.value) if body.chime else None,
        bed=_bed(call, body),
    )


def _bed(call: Call, body: SpokenIn) -> str | None:
    if body.bed is None:
        return None
    if not isinstance(body.bed, ProgramBedIn):
        return HOUSE_BED
    program = find_program(call, body.bed.program)
    if program.state is not ProgramState.READY:
        raise ConflictError(f"bed: program {program.title!r} is {program.state}; expected one that is ready")
    return program.id


def _bed_out(bed: str | None) -> BedOut | None:
    if bed is None:
        return None
    return BedOut(kind="house", program=None) if bed == HOUSE_BED else BedOut(kind="program", program=bed)
