"""From a request to a handler and back: reads what the route says it reads, writes what it says it writes.

Laws: what does not fit the model never reaches the handler; who may not call at all, or calls a costly route
too often, is turned away before the body is read; a body is read within `BODY_S` and up to `MAX_BODY_BYTES`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError

from ..errors import InternalError
from ..station.audit_entry import DETAILS, Scalar, clean_detail
from ..trust.ids import is_id
from .authority import NOT_BY_TOKEN
from .breath import Breath
from .call import CALL, Call
from .desk import Desk
from .guard import CSRF_CHECKED, SIGNED_IN
from .people_models import Needs
from .problem import HttpError, of_validation
from .route import Access, Listing, Prepared, Route
from .standing import needs

MAX_BODY_BYTES = 256 * 1024
"""5,000 targets take 100 KiB. Uploads have a limit of their own."""

BODY_S = 10.0

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def dispatcher(route: Route, desk: Desk) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The aiohttp handler of one route."""

    async def handle(request: web.Request) -> web.StreamResponse:
        call = request[CALL] = Call(request, desk, request.get(SIGNED_IN), route.act)
        _admit(route, call)
        if call.who is not None:
            desk.costly.spend(route.method, route.path, call.who.id, request.remote)
        arguments: dict[str, Any] = {}
        if route.query is not None:
            arguments["query"] = parse_query(route.query, request)
        if route.body is not None:
            arguments["body"] = await read_body(route.body, request)
            _say_what(route, call, arguments["body"])
        answer = await route.handler(call, **arguments)
        if route.act is not None and not call.asked:
            raise InternalError(f"{route.name} never asked whether {route.act} is allowed")
        _say_whom(call, answer)
        return await _response(route, answer)

    return handle


def _say_what(route: Route, call: Call, body: BaseModel) -> None:
    """For the audit log: the plain words of the body that it keeps. Of strangers none: it may be anything."""
    if route.access is Access.PUBLIC:
        return
    given = {name: getattr(body, name) for name in body.model_fields_set & DETAILS}
    call.detail |= clean_detail({name: value for name, value in given.items() if isinstance(value, Scalar)})


def _say_whom(call: Call, answer: object) -> None:
    """For the audit log: what was made, where neither the path nor the handler has said."""
    made = answer.body if isinstance(answer, Prepared) else answer
    name = getattr(made, "id", None)
    if not call.subject and "id" not in call.request.match_info and isinstance(name, str) and is_id(name):
        call.about(name)


def _admit(route: Route, call: Call) -> None:
    if route.access is Access.PUBLIC:
        return
    who = call.who
    if who is None:
        raise HttpError(401, "nobody is logged in", "session", "a log-in at POST /api/v1/session")
    if route.method in UNSAFE and not call.request.get(CSRF_CHECKED, False):
        raise InternalError(f"{route.name}: no CSRF check was made, expected the guard's")
    if who.token_scope is not None and (route.access is Access.FRESH or route.act in NOT_BY_TOKEN):
        raise HttpError(403, "an API token, where a person is needed", "Authorization", "a log-in")
    if route.access is Access.ACCOUNT:
        _check_complete(needs(call.desk, who))


def _check_complete(missing: Needs) -> None:
    """The log-in lacks nothing."""
    if missing is Needs.PASSWORD:
        raise HttpError(
            403,
            "the one-time password has not been changed",
            "password",
            "POST /api/v1/session/password first",
        )
    if missing is not Needs.NOTHING:
        raise HttpError(
            403,
            "a role of this account asks for a second factor, and none is set up",
            "second factor",
            "POST /api/v1/factors/totp or /api/v1/factors/passkey/options first",
        )


def parse_query(model: type[BaseModel], request: web.Request) -> BaseModel:
    """The query as its model: each name once."""
    names = [name for name, _ in request.query.items()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise HttpError(422, "given more than once", f"query: {', '.join(twice)}", "each parameter once")
    try:
        return model.model_validate_strings(dict(request.query))
    except ValidationError as error:
        raise of_validation(error, "query") from error


async def read_body(model: type[BaseModel], request: web.Request) -> BaseModel:
    """The JSON body as its model."""
    if request.content_type != "application/json":
        raise HttpError(415, f"a body of type {request.content_type}", "body", "application/json")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_S):
            data = await request.read()
    except TimeoutError as error:
        raise HttpError(408, "the body did not come", "body", f"all of it within {BODY_S:.0f} s") from error
    if len(data) > MAX_BODY_BYTES:
        raise _too_large()
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise of_validation(error, "body") from error


def _too_large() -> HttpError:
    return HttpError(413, "the body is too large", "body", f"at most {MAX_BODY_BYTES} bytes")


async def _response(route: Route, answer: object) -> web.StreamResponse:
    match answer:
        case web.StreamResponse():
            return answer
        case None:
            return web.Response(status=route.status)
        case BaseModel():
            return _json(route.status, answer.model_dump_json().encode())
        case Prepared():
            response = _json(route.status, answer.body.model_dump_json().encode())
            answer.finish(response)
            return response
        case Listing():
            return _json(route.status, await _array(answer))
    raise InternalError(f"{route.name} answered with {type(answer).__name__}, expected what its route says")


def _json(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json", charset="utf-8")


async def _array(listing: Listing[Any]) -> bytes:
    """A JSON array, made in small steps."""
    breath = Breath()
    made: list[bytes] = []
    for item in listing.items:
        made.append(item.model_dump_json().encode())
        await breath.take()
    return b"[%b]" % b",".join(made)
