"""Sees every call of the API end, and says so to the audit log: the one hook, outside all handlers.

Laws: what changed something is in the log before its answer leaves, else the answer says so (503); an
emergency waits for no database: its entry goes to the synced journal, and follows from there; what was
refused is put on the queue, at a bounded rate per account and per address, because who is turned away must
not fill the disk. A question that somebody may ask leaves no entry, nor does a page that asks who is logged
in.
"""

from collections.abc import Mapping, Sequence

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ..clock import Clock
from ..errors import BusyError, OperatorError
from ..station.act import Act
from ..station.audit_entry import NewEntry, Result, Scalar, Via
from .audit_trail import AuditTrail
from .call import CALL, Call
from .guard import SIGNED_IN, problem_response
from .model import Problem
from .rate_limit import RateLimit, address_key
from .route import Route
from .services import EmergencyLog

ENROL = "/enrol"
"""Where devices come in; all else is for people."""
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
AT_ONCE = frozenset({Act.ALERT, Act.DRILL, Act.STOP_ALERT})
"""Acts that wait for the journal only."""
DENIED = frozenset({401, 403, 429})
REFUSED_BURST, REFUSED_REFILL_S = 60, 2.0
"""Per account, and per address of those who have none."""
STRANGERS_BURST, STRANGERS_REFILL_S = 600, 1.0
"""All of those who have none, together: at most 35 MB a day, whatever they do."""

log = structlog.get_logger("audit")


class Witness:
    """See the module. Owned by the desk."""

    def __init__(self, trail: AuditTrail, emergencies: EmergencyLog, clock: Clock) -> None:
        self._trail, self._emergencies, self._clock = trail, emergencies, clock
        self._refused = RateLimit(REFUSED_BURST, REFUSED_REFILL_S)
        self._strangers = RateLimit(STRANGERS_BURST, STRANGERS_REFILL_S)

    async def saw(self, request: web.Request, route: Route, status: int) -> None:
        """A call has ended with this status. BusyError when it was done and could not be noted."""
        call = request.get(CALL)
        result = _result(request, route, call, status)
        if result is None:
            return
        more: dict[str, Scalar] = {} if result is Result.DONE else {"status": status}
        entry = self._entry(request, route.name, call, result, more)
        if result is not Result.DONE:
            self._put_refused(entry)
        elif call is not None and call.act in AT_ONCE:
            await self._note_emergency(entry)
        else:
            await self._trail.write(entry)

    async def note(self, call: Call, act: str) -> None:
        """For a handler whose answer begins before it ends: it is done as far as the log is concerned."""
        call.noted = True
        await self._trail.write(self._entry(call.request, act, call, Result.DONE, {}))

    def _entry(
        self, request: web.Request, act: str, call: Call | None, result: Result, more: dict[str, Scalar]
    ) -> NewEntry:
        via, actor, name = _actor(request, call)
        return NewEntry(
            at_us=self._clock.now_us(),
            act=act,
            result=result,
            via=via,
            actor=actor,
            actor_name=name,
            address=request.remote or "",
            subject=(call.subject if call else "") or request.match_info.get("id", ""),
            places=call.places if call else (),
            detail=(call.detail if call else {}) | more,
        )

    async def _note_emergency(self, entry: NewEntry) -> None:
        try:
            await self._emergencies.noted(entry)
        except (OperatorError, OSError) as error:
            log.error("the journal did not take who raised or stopped an emergency", error=str(error))
            self._trail.put(entry)

    def _put_refused(self, entry: NewEntry) -> None:
        now_us, key = self._clock.now_us(), entry.actor or address_key(entry.address)
        too_many = self._refused.wait_s(key, now_us)
        if entry.actor is None:
            too_many = too_many or self._strangers.wait_s("", now_us)
        if too_many:
            self._trail.leave_out()
            return
        self._refused.spend(key, now_us)
        if entry.actor is None:
            self._strangers.spend("", now_us)
        self._trail.put(entry)


WITNESS: web.AppKey[Witness] = web.AppKey("witness", Witness)


def _result(request: web.Request, route: Route, call: Call | None, status: int) -> Result | None:
    """None: no entry."""
    changes = route.method in UNSAFE
    if status < 400:
        return Result.DONE if changes and not (call is not None and call.noted) else None
    if call is not None and call.refused:
        return Result.DENIED
    if status in DENIED:
        asked_only = status == 401 and not changes and "Authorization" not in request.headers
        return None if asked_only else Result.DENIED
    return Result.FAILED if changes else None


def _actor(request: web.Request, call: Call | None) -> tuple[Via, str | None, str]:
    unknown = Via.DEVICE if request.path == ENROL else Via.SESSION
    if call is not None and call.actor is not None:
        return unknown, *call.actor
    who = request.get(SIGNED_IN)
    if who is None:
        return unknown, None, ""
    return Via.SESSION if who.token_scope is None else Via.TOKEN, who.id, who.name


def witness(seer: Witness, routes: Sequence[Route]) -> Middleware:
    """Outside `supervise`: it sees answers only."""
    table: Mapping[tuple[str, str], Route] = {(route.method, route.path): route for route in routes}

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        resource = request.match_info.route.resource
        route = table.get((request.method, resource.canonical)) if resource is not None else None
        if route is None:
            return response
        try:
            await seer.saw(request, route, response.status)
        except BusyError as error:
            return _not_noted(request, error)
        return response

    return middleware


def _not_noted(request: web.Request, error: BusyError) -> web.Response:
    problem = Problem(
        what=f"it is done, but not in the audit log yet ({error})",
        where=request.path,
        expected="a database that takes it; do not repeat the request",
    )
    return problem_response(503, problem, {"Retry-After": str(error.retry_s)})
