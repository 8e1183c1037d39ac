"""Encoders that push: keeping them, their passwords, and who pushes now."""

from collections.abc import Iterator

from ..errors import ConflictError, InternalError
from ..station.act import Act
from ..station.pushes import NewPush, Push
from ..streamer.broadcast import PushSource
from .call import Call
from .push_models import PushChange, PushIn, PushMade, PushOut
from .route import Listing, Route
from .sight import find_place, find_push, knows


def push_routes(api: str) -> tuple[Route, ...]:
    path, tag, edit = f"{api}/pushes", "sources", Act.EDIT_CONTENT
    one, unfit = f"{path}/{{id}}", (404, 409)
    return (
        Route("GET", path, list_pushes, "Encoders that push, and who pushes now", tag, act=Act.SEE),
        Route("POST", path, add_push, "Let an encoder push", tag, act=edit, status=201, errors=unfit),
        Route("GET", one, get_push, "One push", tag, act=Act.SEE, errors=(404,)),
        Route("PATCH", one, change_push, "Change a push", tag, act=edit, errors=unfit),
        Route("DELETE", one, remove_push, "Remove a push", tag, act=edit, status=204, errors=unfit),
        Route(
            "POST",
            f"{one}/password",
            rotate_push,
            "Another password; the old one is void at once",
            tag,
            act=edit,
            errors=(404,),
        ),
    )


async def list_pushes(call: Call) -> Listing[PushOut]:
    """By title; `push` events tell of every change, and of the level while somebody pushes."""
    call.require()
    return Listing(_pushes(call))


def _pushes(call: Call) -> Iterator[PushOut]:
    for push in call.desk.pushes:
        if knows(call, push.place):
            yield call.desk.pushes.out(push)


async def get_push(call: Call) -> PushOut:
    call.require()
    return call.desk.pushes.out(find_push(call, call.id))


async def add_push(call: Call, body: PushIn) -> PushMade:
    """The password is shown once: only its hash is kept."""
    place = find_place(call, body.place).id if body.place else _own_place(call)
    call.require([place])
    new = await call.desk.station.pushes.add(
        place=place,
        name=body.name,
        title=body.title,
        created_by=call.person.id,
        now_us=call.desk.clock.now_us(),
    )
    call.about(new.about.id, [place], name=new.about.name)
    call.desk.pushes.put(new.about)
    return _made(call, new)


async def change_push(call: Call, body: PushChange) -> PushOut:
    """Who pushes already goes on, under the old name until it calls again."""
    push = _mine(call)
    changed = await call.desk.station.pushes.change(push.id, name=body.name, title=body.title)
    call.about(name=changed.name)
    call.desk.pushes.put(changed)
    return call.desk.pushes.out(changed)


async def rotate_push(call: Call) -> PushMade:
    """Who pushes with the old password is sent away."""
    push = _mine(call)
    new = await call.desk.station.pushes.rotate(push.id)
    call.about(name=push.name)
    call.desk.pushes.put(new.about)
    call.desk.services.pushes.end(push.id, "its password was changed")
    return _made(call, new)


async def remove_push(call: Call) -> None:
    push = _mine(call)
    call.about(name=push.name)
    sources = [on_air.order.source for on_air in call.desk.air.on_air()]
    if any(isinstance(source, PushSource) and source.push == push.id for source in sources):
        raise ConflictError(f"push {push.title!r} is on air; expected one that no broadcast airs")
    await call.desk.station.pushes.delete(push.id)
    call.desk.services.pushes.end(push.id, "it was removed")
    call.desk.pushes.drop(push.id)


def _made(call: Call, new: NewPush) -> PushMade:
    told = call.desk.pushes.out(new.about)
    url = f"{call.request.url.origin()}{told.path}"
    return PushMade(**told.model_dump(), password=new.password, url=url)


def _mine(call: Call) -> Push:
    push = find_push(call, call.id)
    call.require([push.place])
    return push


def _own_place(call: Call) -> str:
    """The highest at which this person may keep content."""
    call.require()
    top = call.desk.authority.scope(call.person, Act.EDIT_CONTENT).top()
    if top is None:
        raise InternalError("push: nowhere to keep it, expected the authority to have said so before")
    return top
