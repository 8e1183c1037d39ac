"""Every act is asked for before anything happens: who may do nothing changes nothing, on any route."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import FormData

from loa.errors import DeniedError, InternalError
from loa.station.act import Act
from loa.streamer.air import Air
from loa.web.authority import Person, RoleAuthority
from loa.web.desk import Desk
from loa.web.dispatch import dispatcher
from loa.web.guard import SIGNED_IN
from loa.web.route import Access, Route
from loa.web.table import routes


class Nobody(RoleAuthority):
    """Allows nothing, and remembers what was asked."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.station.roles, desk.directory, desk.air)
        self.asked: list[tuple[Act, tuple[str, ...]]] = []

    def require(self, person: Person, act: Act, places: Sequence[str]) -> None:
        self.asked.append((act, tuple(places)))
        raise DeniedError(f"{person.name} may not {act}, expected somebody who may")


def body_for(route: Route, land: Any, program: str) -> dict[str, Any] | None:
    """A body that would be carried out."""
    target = {"targets": [land.north.id]}
    bodies: dict[str, dict[str, Any]] = {
        "add_place": {"parent": land.north.id, "name": "X", "kind": "hamlet"},
        "change_place": {"name": "X"},
        "reorder_place": {"broadcasts": []},
        "change_speaker": {"name": "X"},
        "make_enrolment": {"place": land.north.id, "name": "X"},
        "start_broadcast": {"source": {"kind": "file", "program": program}} | target,
        "start_emergency": {"source": {"kind": "tone"}, "severity": "minor", "title": "X"} | target,
    }
    return bodies.get(route.name)


async def test_who_may_do_nothing_does_nothing(
    land: Any, program: str, page: Any, air: Air, network: Any, desk: Desk
) -> None:
    """Two broadcasts on air, a file in store; then every route of the table is called."""
    source = {"kind": "file", "program": program}
    order = {"source": source, "targets": [land.south.id]}
    ordinary = (await page.post("/api/v1/broadcasts", order))["id"]
    alert = {"source": {"kind": "tone"}, "severity": "minor", "title": "X", "targets": [land.south.id]}
    emergency = (await page.post("/api/v1/emergencies", alert))["id"]
    before = (await page.get("/api/v1/places"), await page.get("/api/v1/speakers"))
    nobody, allowed = Nobody(desk), desk.authority
    desk.authority = nobody
    ids = {"places": land.north.id, "speakers": land.speakers[0].id, "programs": program}
    ids |= {"broadcasts": ordinary, "emergencies": emergency}
    called = 0
    for route in routes():
        if route.act is None or route.form is not None:
            continue
        kind = route.path.split("/")[3]
        path = re.sub("{id}", ids.get(kind, ""), route.path)
        path += f"?targets={land.north.id}" if kind == "reach" else ""
        await page.call(route.method, path, body_for(route, land, program), status=403)
        called += 1
    assert called >= 20
    assert len(nobody.asked) == called
    headers = {"X-CSRF-Token": page.csrf}
    form = FormData(default_to_multipart=True)
    form.add_field("file", b"sound", filename="x.mp3")
    upload = await page.client.post("/api/v1/programs", data=form, headers=headers)
    assert upload.status == 403
    desk.authority = allowed
    assert (await page.get("/api/v1/places"), await page.get("/api/v1/speakers")) == before
    assert {on_air.order.id for on_air in air.on_air()} == {ordinary, emergency}
    assert network.told == []
    assert len(await page.get("/api/v1/programs")) == 1


async def test_an_order_is_asked_about_at_every_place_it_touches(page: Any, land: Any, desk: Desk) -> None:
    nobody = Nobody(desk)
    desk.authority = nobody
    alert = {"source": {"kind": "tone"}, "severity": "minor", "title": "X"}
    targets = [land.north.id, land.south.id]
    await page.post("/api/v1/emergencies", alert | {"targets": targets}, status=403)
    await page.call("PATCH", f"/api/v1/places/{land.hamlet.id}", {"parent": land.south.id}, status=403)
    speaker = land.at(land.south)[0]
    await page.call("PATCH", f"/api/v1/speakers/{speaker}", {"place": land.north.id}, status=403)
    assert nobody.asked == [
        (Act.ALERT, (land.province.id, *targets)),
        (Act.EDIT_PLACES, (land.hamlet.id, land.south.id)),
        (Act.EDIT_SPEAKERS, (land.south.id, land.north.id)),
    ]


async def test_an_answer_of_a_handler_that_never_asked_is_held_back(page: Any, desk: Desk) -> None:

    async def forgetful(call: Any) -> None: ...

    route = Route("GET", "/x", forgetful, "Forgets", "test", Access.ACCOUNT, Act.SEE)
    who = next(iter(desk.sessions._known.values()))

    class Request(dict[Any, Any]):
        path = "/x"

    with pytest.raises(InternalError, match="never asked"):
        await dispatcher(route, desk)(Request({SIGNED_IN: who}))  # type: ignore[arg-type]
