"""For every operation of the API how to ask for it at a place, and what right that takes: a route that is not
here fails the matrix.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from loa.station.act import Act
from loa.station.speaker import SpeakerState
from loa.wire.rank import BroadcastClass

from .matrix_world import GUESS, World

API = "/api/v1"


class Need(Enum):
    """Where the act must be allowed, for a thing at a place."""

    COVERS = "at the place"
    KNOWS = "at the place, above it, or somewhere below it"
    ROOT = "at the root"
    ANYWHERE = "at any place"
    OWN = "nowhere: it is one's own"
    PUBLIC = "nowhere: it is anybody's"


@dataclass(frozen=True)
class Ask:
    path: str
    body: object = None
    form: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Recipe:
    """`act`: if it is not the one of the route. `also`: acts wanted besides, at the same place. `fits`: the
    statuses of an answer to somebody who may.
    """

    need: Need
    ask: Callable[[World, str], Awaitable[Ask]]
    act: Act | None = None
    also: frozenset[Act] = frozenset()
    fits: tuple[int, ...] = (200, 201, 202, 204)


def at(path: str, body: Any = None, **more: Any) -> Callable[[World, str], Awaitable[Ask]]:
    """The place itself, as `{place}` in the path, or where the body says "PLACE"."""

    async def ask(world: World, place: str) -> Ask:
        return Ask(path.format(place=place), _filled(body, place), **more)

    return ask


def of(kind: str, path: str, body: Any = None, *what: Any) -> Callable[[World, str], Awaitable[Ask]]:
    """A thing at the place, as `{id}` in the path."""

    async def ask(world: World, place: str) -> Ask:
        return Ask(path.format(id=await getattr(world, kind)(place, *what)), body)

    return ask


def _filled(body: Any, place: str) -> Any:
    if isinstance(body, dict):
        return {name: _filled(value, place) for name, value in body.items()}
    if isinstance(body, list):
        return [_filled(value, place) for value in body]
    return place if body == "PLACE" else body


async def upload(world: World, place: str) -> Ask:
    return Ask(f"{API}/programs", form={"place": place, "file": "sound"})


async def new_push(world: World, place: str) -> Ask:
    world.clock.advance(1)
    return Ask(f"{API}/pushes", {"place": place, "name": f"may-{world.clock.now_us()}", "title": "Máy xã"})


async def new_account(world: World, place: str) -> Ask:
    role = next(r.id for r in world.desk.authority.roles.values() if r.builtin == "viewer")
    world.clock.advance(1)
    name = f"a{world.clock.now_us()}"
    return Ask(f"{API}/accounts", {"name": name, "roles": [{"role": role, "place": place}]})


async def new_role(world: World, place: str) -> Ask:
    world.clock.advance(1)
    return Ask(f"{API}/roles", {"name": f"Vai {world.clock.now_us()}", "acts": ["see"]})


async def new_place(world: World, place: str) -> Ask:
    world.clock.advance(1)
    return Ask(f"{API}/places", {"parent": place, "name": f"Tổ {world.clock.now_us()}", "kind": "zone"})


async def new_multicast(world: World, place: str) -> Ask:
    world.clock.advance(1)
    port = 10_000 + world.clock.now_us() % 50_000
    body = {"place": place, "group": "239.1.1.1", "port": port, "codec": "pcmu", "classes": ["emergency"]}
    return Ask(f"{API}/multicasts", body)


COVERS, KNOWS, ROOT = partial(Recipe, Need.COVERS), partial(Recipe, Need.KNOWS), partial(Recipe, Need.ROOT)
ANYWHERE, OWN, PUBLIC = (
    partial(Recipe, Need.ANYWHERE),
    partial(Recipe, Need.OWN),
    partial(Recipe, Need.PUBLIC),
)
PENDING, BLOCKED = SpeakerState.PENDING, SpeakerState.BLOCKED
PRIORITY, EMERGENCY = BroadcastClass.PRIORITY, BroadcastClass.EMERGENCY
MICROPHONE: dict[str, Any] = {"source": {"kind": "microphone"}, "targets": ["PLACE"]}
ALERT: dict[str, Any] = {
    "source": {"kind": "tone"},
    "targets": ["PLACE"],
    "severity": "minor",
    "title": "Lũ",
}
RADIO: dict[str, Any] = {"place": "PLACE", "name": "Đài", "addresses": ["http://radio.test/live"]}
NOTICE: dict[str, Any] = {"parts": [{"text": "Họp lúc 5h30."}]}
LOUD = {"volume_db": -6.0, "emergency_floor_db": -3.0, "muted": False}
HOUR = "from=2027-01-15T07:00:00Z&to=2027-01-15T07:00:10Z"
S, P, B, A = f"{API}/speakers/{{id}}", f"{API}/programs/{{id}}", f"{API}/broadcasts/{{id}}", f"{API}/accounts"

RECIPES: dict[str, tuple[Recipe, ...]] = {
    # one's own account; what these do is tested with the people
    "log_in": (PUBLIC(at(f"{API}/session", {"name": "x", "password": "y"}), fits=(401, 429)),),
    "log_in_second": (
        PUBLIC(at(f"{API}/session/second", {"challenge": "x" * 20, "code": "1"}), fits=(401, 403, 429)),
    ),
    "who_am_i": (OWN(at(f"{API}/session")),),
    "log_out": (OWN(at(f"{API}/session")),),
    "change_password": (
        OWN(at(f"{API}/session/password", {"old": "x", "new": "một câu đủ dài khác"}), fits=(401, 403, 429)),
    ),
    "list_sessions": (OWN(at(f"{API}/sessions")),),
    "end_other_sessions": (OWN(at(f"{API}/sessions")),),
    "end_session": (OWN(at(f"{API}/sessions/{GUESS}"), fits=(204, 404)),),
    "list_factors": (OWN(at(f"{API}/factors")),),
    "begin_totp": (OWN(at(f"{API}/factors/totp", {"name": "X"})),),
    "confirm_totp": (OWN(at(f"{API}/factors/{GUESS}/confirm", {"code": "123456"}), fits=(404,)),),
    "passkey_options": (OWN(at(f"{API}/factors/passkey/options"), fits=(200, 409)),),
    "add_passkey": (
        OWN(
            at(f"{API}/factors/passkey", {"challenge": "x" * 20, "name": "X", "credential": {}}),
            fits=(403, 404, 409, 422),
        ),
    ),
    "remove_factor": (OWN(at(f"{API}/factors/{GUESS}/remove", {"password": "x"}), fits=(403, 404)),),
    "new_recovery_codes": (OWN(at(f"{API}/factors/recovery", {"password": "x"}), fits=(403, 409)),),
    "list_tokens": (OWN(at(f"{API}/tokens")),),
    "make_token": (
        OWN(
            at(f"{API}/tokens", {"name": "X", "acts": ["see"], "places": [GUESS], "days": 1}),
            fits=(404,),
        ),
    ),
    "end_token": (OWN(at(f"{API}/tokens/{GUESS}"), fits=(204, 404)),),
    # other people
    "list_accounts": (ANYWHERE(at(A)),),
    "add_account": (COVERS(new_account),),
    "change_account": (COVERS(of("account", f"{A}/{{id}}", {"full_name": "X"})),),
    "reset_password": (COVERS(of("account", f"{A}/{{id}}/password")),),
    "remove_factors": (COVERS(of("account", f"{A}/{{id}}/factors")),),
    "end_account_sessions": (COVERS(of("account", f"{A}/{{id}}/sessions")),),
    "list_roles": (OWN(at(f"{API}/roles")),),
    "add_role": (ROOT(new_role),),
    "change_role": (ROOT(of("role", f"{API}/roles/{{id}}", {"second_factor": False})),),
    "remove_role": (ROOT(of("role", f"{API}/roles/{{id}}")),),
    # the territory
    "list_places": (ANYWHERE(at(f"{API}/places")),),
    "add_place": (COVERS(new_place),),
    "change_place": (COVERS(at(f"{API}/places/{{place}}", {"name": "Tên khác"})),),
    "reorder_place": (COVERS(at(f"{API}/places/{{place}}/order", {"broadcasts": []})),),
    "preview_reach": (COVERS(at(f"{API}/reach?targets={{place}}")),),
    "get_place_volume": (COVERS(at(f"{API}/places/{{place}}/volume")),),
    "set_place_volume": (COVERS(at(f"{API}/places/{{place}}/volume", LOUD)),),
    # speakers
    "list_speakers": (ANYWHERE(at(f"{API}/speakers")), COVERS(at(f"{API}/speakers?place={{place}}"))),
    "change_speaker": (COVERS(of("speaker", S, {"name": "X"})),),
    "remove_speaker": (COVERS(of("speaker", S)),),
    "approve_speaker": (COVERS(of("speaker", f"{S}/approve", None, PENDING)),),
    "block_speaker": (COVERS(of("speaker", f"{S}/block")),),
    "unblock_speaker": (COVERS(of("speaker", f"{S}/unblock", None, BLOCKED)),),
    "replace_speaker": (COVERS(of("speaker", f"{S}/replacement", {})),),
    "get_speaker_volume": (COVERS(of("speaker", f"{S}/volume")),),
    "set_speaker_volume": (COVERS(of("speaker", f"{S}/volume", LOUD)),),
    "list_enrolments": (
        ANYWHERE(at(f"{API}/enrolments")),
        COVERS(at(f"{API}/enrolments?place={{place}}")),
    ),
    "make_enrolment": (
        COVERS(at(f"{API}/enrolments", {"place": "PLACE", "name": "X"})),
        COVERS(
            at(f"{API}/enrolments", {"place": "PLACE", "name": "X", "approved": True}),
            also=frozenset({Act.APPROVE_SPEAKER}),
        ),
    ),
    "cancel_enrolment": (COVERS(of("code", f"{API}/enrolments/{{id}}")),),
    "enrol": (PUBLIC(at("/enrol", {"secret": "00", "public_key": "0" * 64}), fits=(400, 403, 422, 429)),),
    # content: what belongs to a place above may be heard and aired below it
    "list_programs": (ANYWHERE(at(f"{API}/programs")),),
    "upload_program": (COVERS(upload),),
    "get_program": (KNOWS(of("program", P)),),
    "hear_program": (KNOWS(of("program", f"{P}/audio.mp3")),),
    "remove_program": (COVERS(of("program", P)),),
    "list_voices": (ANYWHERE(at(f"{API}/voices")),),
    "add_text": (COVERS(at(f"{API}/texts", NOTICE | {"title": "Họp", "place": "PLACE"})),),
    "preview_text": (ANYWHERE(at(f"{API}/texts/preview", NOTICE)),),
    "read_text": (ANYWHERE(at(f"{API}/texts/reading", {"text": "Họp lúc 5h30."})),),
    "get_text": (KNOWS(of("text", f"{API}/texts/{{id}}")),),
    "list_pushes": (ANYWHERE(at(f"{API}/pushes")),),
    "add_push": (COVERS(new_push),),
    "get_push": (KNOWS(of("push", f"{API}/pushes/{{id}}")),),
    "change_push": (COVERS(of("push", f"{API}/pushes/{{id}}", {"title": "Đài huyện"})),),
    "rotate_push": (COVERS(of("push", f"{API}/pushes/{{id}}/password")),),
    "remove_push": (COVERS(of("push", f"{API}/pushes/{{id}}")),),
    "list_multicasts": (
        ANYWHERE(at(f"{API}/multicasts")),
        COVERS(at(f"{API}/multicasts?place={{place}}")),
    ),
    "add_multicast": (COVERS(new_multicast),),
    "remove_multicast": (COVERS(of("multicast", f"{API}/multicasts/{{id}}")),),
    "list_radios": (ANYWHERE(at(f"{API}/radios")),),
    "add_radio": (COVERS(at(f"{API}/radios", RADIO)),),
    "try_address": (ANYWHERE(at(f"{API}/radios/try", {"address": "ftp://radio.test/"}), fits=(422,)),),
    "get_radio": (KNOWS(of("radio", f"{API}/radios/{{id}}")),),
    "change_radio": (COVERS(of("radio", f"{API}/radios/{{id}}", {"name": "Đài huyện"})),),
    "remove_radio": (COVERS(of("radio", f"{API}/radios/{{id}}")),),
    # the air: what sounds at a place is seen there, and stopped by who may where it was issued
    "list_broadcasts": (ANYWHERE(at(f"{API}/broadcasts")),),
    "start_broadcast": (
        COVERS(at(f"{API}/broadcasts", MICROPHONE)),
        COVERS(at(f"{API}/broadcasts", MICROPHONE | {"cls": "priority"}), act=Act.AIR_PRIORITY),
    ),
    "get_broadcast": (KNOWS(of("broadcast", B)),),
    "get_reach": (KNOWS(of("broadcast", f"{B}/reach")),),
    "stop_broadcast": (
        COVERS(of("broadcast", B)),
        COVERS(of("broadcast", B, None, PRIORITY)),
        COVERS(of("broadcast", B, None, EMERGENCY), act=Act.STOP_ALERT),
        ROOT(of("from_above", B)),
        ROOT(of("from_above", B, None, EMERGENCY), act=Act.STOP_ALERT),
    ),
    "start_emergency": (
        COVERS(at(f"{API}/emergencies", ALERT)),
        COVERS(at(f"{API}/emergencies", ALERT | {"drill": True}), act=Act.DRILL),
    ),
    "stop_emergency": (
        COVERS(of("broadcast", f"{API}/emergencies/{{id}}", None, EMERGENCY)),
        ROOT(of("from_above", f"{API}/emergencies/{{id}}", None, EMERGENCY)),
    ),
    "live_events": (ANYWHERE(at(f"{API}/events")), COVERS(at(f"{API}/events?place={{place}}"))),
    # what aired
    "list_archive": (COVERS(at(f"{API}/archive?place={{place}}&{HOUR}")),),
    "hear_archive": (COVERS(at(f"{API}/archive/{{place}}/audio?{HOUR}")),),
    # keys and the audit log
    "get_keys": (ROOT(at(f"{API}/keys")),),
    "rotate_key": (ROOT(at(f"{API}/keys/rotate", {"which": "drill"})),),
    "revoke_key": (ROOT(at(f"{API}/keys/revoke", {"key_id": GUESS}), fits=(404, 409)),),
    "list_audit": (ANYWHERE(at(f"{API}/audit")), COVERS(at(f"{API}/audit?place={{place}}"))),
    "export_audit": (ROOT(at(f"{API}/audit/export")),),
    # what anybody may read
    "healthz": (PUBLIC(at("/healthz")),),
    "readyz": (PUBLIC(at("/readyz"), fits=(200, 503)),),
    "metrics": (PUBLIC(at("/metrics")),),
    "openapi_json": (PUBLIC(at(f"{API}/openapi.json")),),
}
