"""The table of every route of the API, in the order of the document. A path that is not here does not
exist.

(The sound itself - /listen, /whip, /speaker/link - is mounted beside it by the application; those are no
API.)
"""

from ..station.act import Act
from .air_models import UploadForm
from .broadcasts import get_broadcast, get_reach, list_broadcasts, start_broadcast, stop_broadcast
from .emergencies import start_emergency, stop_emergency
from .events import live_events
from .live_models import LiveEvent
from .places import add_place, change_place, list_places, preview_reach, reorder_place
from .probes import healthz, metrics, openapi_json, readyz
from .programs import get_program, hear_program, list_programs, remove_program, upload_program
from .route import Access, Route
from .sessions import change_password, log_in, log_out, who_am_i
from .speakers import change_speaker, enrol, list_speakers, make_enrolment, remove_speaker

API = "/api/v1"
TEXT = "text/plain"


def routes() -> tuple[Route, ...]:
    """All of them."""
    return (*_people(), *_territory(), *_speakers(), *_content(), *_air(), *_probes())


def _people() -> tuple[Route, ...]:
    tag, fresh = "people", Access.FRESH
    path = f"{API}/session"
    return (
        Route("POST", path, log_in, "Log in", tag, Access.PUBLIC, errors=(401, 403, 429)),
        Route("GET", path, who_am_i, "Who am I", tag, fresh),
        Route("DELETE", path, log_out, "Log out", tag, fresh, status=204),
        Route(
            "POST", f"{path}/password", change_password, "Change my password", tag, fresh, errors=(409, 429)
        ),
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
    speakers, tag, edit = f"{API}/speakers", "territory", Act.EDIT_SPEAKERS
    return (
        Route("GET", speakers, list_speakers, "Speakers and their state", tag, act=Act.SEE, errors=(404,)),
        Route(
            "PATCH",
            f"{speakers}/{{id}}",
            change_speaker,
            "Change or move a speaker",
            tag,
            act=edit,
        ),
        Route(
            "DELETE",
            f"{speakers}/{{id}}",
            remove_speaker,
            "Remove a speaker",
            tag,
            act=edit,
            status=204,
        ),
        Route(
            "POST",
            f"{API}/enrolments",
            make_enrolment,
            "Make a one-time enrolment code",
            tag,
            act=Act.ENROL,
            status=201,
            errors=(404,),
        ),
        Route("POST", "/enrol", enrol, "Enrol a speaker", tag, Access.PUBLIC, errors=(403, 409, 429)),
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
            errors=(503,),
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
        Route("POST", path, start_broadcast, "Go on air", tag, act=Act.AIR, status=201, errors=refused),
        Route("GET", f"{path}/{{id}}", get_broadcast, "One broadcast", tag, act=Act.SEE),
        Route("DELETE", f"{path}/{{id}}", stop_broadcast, "Stop a broadcast", tag, act=Act.STOP, status=204),
        Route("GET", f"{path}/{{id}}/reach", get_reach, "Whom it reached", tag, act=Act.SEE),
        Route(
            "POST",
            alerts,
            start_emergency,
            "Raise an emergency",
            tag,
            act=Act.ALERT,
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


def _probes() -> tuple[Route, ...]:
    tag, anyone = "probes", Access.PUBLIC
    return (
        Route("GET", "/healthz", healthz, "The process lives", tag, anyone, media=TEXT),
        Route("GET", "/readyz", readyz, "It can do its work", tag, anyone, media=TEXT, errors=(503,)),
        Route("GET", "/metrics", metrics, "Counters for Prometheus", tag, anyone, media=TEXT),
        Route("GET", f"{API}/openapi.json", openapi_json, "This document", tag, anyone),
    )
