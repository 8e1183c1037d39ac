"""The table of every route of the API, in the order of the document. A path that is not here does not
exist.

(The sound itself - /listen, /whip, /speaker/link - is mounted beside it by the application; those are no
API.)
"""

from ..station.act import Act
from .air_models import UploadForm
from .archive import hear_archive, list_archive
from .audit import EXPORT_TYPE, export_audit, list_audit
from .broadcasts import get_broadcast, get_reach, list_broadcasts, start_broadcast, stop_broadcast
from .emergencies import start_emergency, stop_emergency
from .enrolments import cancel_enrolment, enrol, list_enrolments, make_enrolment, replace_speaker
from .events import live_events
from .keys import key_routes
from .live_models import LiveEvent
from .multicasts import multicast_routes
from .people_table import people
from .places import add_place, change_place, list_places, preview_reach, reorder_place
from .probes import healthz, metrics, openapi_json, readyz
from .programs import get_program, hear_program, list_programs, remove_program, upload_program
from .pushes import push_routes
from .radios import radio_routes
from .roles import role_routes
from .route import Access, Route
from .speakers import (
    approve_speaker,
    block_speaker,
    change_speaker,
    list_speakers,
    remove_speaker,
    unblock_speaker,
)
from .texts import text_routes
from .volume import get_place_volume, get_speaker_volume, set_place_volume, set_speaker_volume

API = "/api/v1"
TEXT = "text/plain"


def routes() -> tuple[Route, ...]:
    """All of them."""
    return (
        *people(),
        *role_routes(API),
        *_territory(),
        *_speakers(),
        *_enrolments(),
        *_volume(),
        *_content(),
        *radio_routes(API),
        *multicast_routes(API),
        *push_routes(API),
        *text_routes(API),
        *_air(),
        *key_routes(API),
        *_archive(),
        *_audit(),
        *_probes(),
    )


def _territory() -> tuple[Route, ...]:
    places, tag, edit = f"{API}/places", "territory", Act.EDIT_PLACES
    return (
        Route("GET", places, list_places, "The tree of places", tag, act=Act.SEE),
        Route("POST", places, add_place, "Add a place", tag, act=edit, status=201, errors=(404, 409)),
        Route(
            "PATCH", f"{places}/{{id}}", change_place, "Change or move a place", tag, act=edit, errors=(409,)
        ),
        Route(
            "POST",
            f"{places}/{{id}}/order",
            reorder_place,
            "Reorder the priority broadcasts of a commune",
            tag,
            act=Act.REORDER,
            status=204,
            errors=(409,),
        ),
        Route("GET", f"{API}/reach", preview_reach, "Whom an order would reach", tag, act=Act.SEE),
    )


def _speakers() -> tuple[Route, ...]:
    speakers, tag, approve = f"{API}/speakers", "speakers", Act.APPROVE_SPEAKER
    one = f"{speakers}/{{id}}"
    gone, unfit = (404,), (404, 409)
    return (
        Route("GET", speakers, list_speakers, "Speakers and their state", tag, act=Act.SEE, errors=gone),
        Route(
            "PATCH", one, change_speaker, "Change or move a speaker", tag, act=Act.EDIT_SPEAKERS, errors=gone
        ),
        Route("DELETE", one, remove_speaker, "Remove a speaker", tag, act=approve, status=204, errors=gone),
        Route("POST", f"{one}/approve", approve_speaker, "Let a speaker in", tag, act=approve, errors=unfit),
        Route("POST", f"{one}/block", block_speaker, "Shut a speaker out", tag, act=approve, errors=unfit),
        Route("POST", f"{one}/unblock", unblock_speaker, "Let it in again", tag, act=approve, errors=unfit),
        Route(
            "POST",
            f"{one}/replacement",
            replace_speaker,
            "Make a code for the device that takes its place",
            tag,
            act=Act.ENROL,
            status=201,
            errors=unfit,
        ),
    )


def _enrolments() -> tuple[Route, ...]:
    codes, tag, act = f"{API}/enrolments", "speakers", Act.ENROL
    return (
        Route("GET", codes, list_enrolments, "Codes that wait for their device", tag, act=act, errors=(404,)),
        Route("POST", codes, make_enrolment, "Make a one-time code", tag, act=act, status=201, errors=(404,)),
        Route(
            "DELETE",
            f"{codes}/{{id}}",
            cancel_enrolment,
            "Cancel a code",
            tag,
            act=act,
            status=204,
            errors=(404,),
        ),
        Route("POST", "/enrol", enrol, "Enrol a speaker", tag, Access.PUBLIC, errors=(403, 409, 429)),
    )


def _volume() -> tuple[Route, ...]:
    places, speakers = f"{API}/places/{{id}}/volume", f"{API}/speakers/{{id}}/volume"
    tag, act, gone = "speakers", Act.VOLUME, (404,)
    return (
        Route("GET", places, get_place_volume, "How loud a place is", tag, act=Act.SEE, errors=gone),
        Route("PUT", places, set_place_volume, "Order how loud", tag, act=act, errors=(404, 503)),
        Route("GET", speakers, get_speaker_volume, "How loud a speaker is", tag, act=Act.SEE, errors=gone),
        Route("PUT", speakers, set_speaker_volume, "Order how loud", tag, act=act, errors=(404, 503)),
    )


def _content() -> tuple[Route, ...]:
    path, tag, edit = f"{API}/programs", "content", Act.EDIT_CONTENT
    return (
        Route("GET", path, list_programs, "Stored programs", tag, act=Act.SEE),
        Route(
            "POST",
            path,
            upload_program,
            "Upload a file",
            tag,
            act=edit,
            status=202,
            form=UploadForm,
            errors=(404, 503),
        ),
        Route("GET", f"{path}/{{id}}", get_program, "One program", tag, act=Act.SEE),
        Route(
            "GET",
            f"{path}/{{id}}/audio.mp3",
            hear_program,
            "Pre-listen",
            tag,
            act=Act.SEE,
            media="audio/mpeg",
            errors=(409,),
        ),
        Route(
            "DELETE",
            f"{path}/{{id}}",
            remove_program,
            "Remove a program",
            tag,
            act=edit,
            status=204,
            errors=(409,),
        ),
    )


def _air() -> tuple[Route, ...]:
    path, alerts, tag = f"{API}/broadcasts", f"{API}/emergencies", "air"
    refused = (404, 409)
    return (
        Route("GET", path, list_broadcasts, "Broadcasts", tag, act=Act.SEE),
        Route(
            "POST",
            path,
            start_broadcast,
            "Go on air",
            tag,
            act=Act.AIR,
            instead=(Act.AIR_PRIORITY,),
            status=201,
            errors=refused,
        ),
        Route("GET", f"{path}/{{id}}", get_broadcast, "One broadcast", tag, act=Act.SEE),
        Route(
            "DELETE",
            f"{path}/{{id}}",
            stop_broadcast,
            "Stop a broadcast",
            tag,
            act=Act.STOP,
            instead=(Act.STOP_ALERT,),
            status=204,
        ),
        Route("GET", f"{path}/{{id}}/reach", get_reach, "Whom it reached", tag, act=Act.SEE),
        Route(
            "POST",
            alerts,
            start_emergency,
            "Raise an emergency",
            tag,
            act=Act.ALERT,
            instead=(Act.DRILL,),
            status=201,
            errors=(*refused, 503),
        ),
        Route(
            "DELETE",
            f"{alerts}/{{id}}",
            stop_emergency,
            "Stop an emergency",
            tag,
            act=Act.STOP_ALERT,
            errors=(409, 503),
        ),
        Route(
            "GET",
            f"{API}/events",
            live_events,
            "Live state",
            tag,
            act=Act.SEE,
            media="text/event-stream",
            event=LiveEvent,
            errors=(404, 503),
        ),
    )


def _archive() -> tuple[Route, ...]:
    path, tag = f"{API}/archive", "archive"
    return (
        Route("GET", path, list_archive, "What aired at a place", tag, act=Act.SEE, errors=(404,)),
        Route(
            "GET",
            f"{path}/{{id}}/audio",
            hear_archive,
            "A piece of what a place heard",
            tag,
            act=Act.SEE,
            media="audio/ogg",
            errors=(404, 503),
        ),
    )


def _audit() -> tuple[Route, ...]:
    path, tag, see = f"{API}/audit", "audit", Act.SEE_AUDIT
    return (
        Route("GET", path, list_audit, "Who did what", tag, act=see, errors=(404,)),
        Route(
            "GET",
            f"{path}/export",
            export_audit,
            "The whole audit log",
            tag,
            act=see,
            media=EXPORT_TYPE,
            errors=(404, 503),
        ),
    )


def _probes() -> tuple[Route, ...]:
    tag, anyone = "probes", Access.PUBLIC
    return (
        Route("GET", "/healthz", healthz, "The process lives", tag, anyone, media=TEXT),
        Route("GET", "/readyz", readyz, "It can do its work", tag, anyone, media=TEXT, errors=(503,)),
        Route("GET", "/metrics", metrics, "Counters for Prometheus", tag, anyone, media=TEXT),
        Route("GET", f"{API}/openapi.json", openapi_json, "This document", tag, anyone),
    )
