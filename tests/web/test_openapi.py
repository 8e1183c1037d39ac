"""The document and the dispatcher are one table: what answers is described, and what is described answers."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from loa.errors import InternalError
from loa.web.application import create_app
from loa.web.call import Call
from loa.web.openapi import document, document_of
from loa.web.route import Access, Route
from loa.web.services import Services
from loa.web.table import routes


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_every_route_of_the_application_is_in_the_document(services: Services) -> None:
    described = {(method, path) for method, path, _ in operations()}
    served = set()
    for resource in create_app(services).router.resources():
        for route in resource:
            if resource.canonical.startswith(("/api/", "/enrol", "/healthz", "/readyz", "/metrics")):
                served.add((route.method, resource.canonical))
    assert {(method, path) for method, path in served if method != "HEAD"} == described
    assert len(described) == len(routes()) > 25


def test_every_reference_leads_somewhere() -> None:
    whole = document()
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(whole)))
    assert named <= set(whole["components"]["schemas"])
    assert named, "no reference found: the test reads the document wrongly"


def test_every_error_is_a_problem_and_every_operation_is_named_once() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))
    for method, path, operation in operations():
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}, (method, path, status)


def test_what_changes_something_wants_the_session_and_the_csrf_token() -> None:
    open_to_all = {"/api/v1/session", "/api/v1/session/second", "/enrol"}
    for method, path, operation in operations():
        if method == "GET" or (method, path) in {("POST", name) for name in open_to_all}:
            continue
        ways = [way for way in operation["security"] if way != {"token": []}]
        assert ways == [{"session": [], "csrf": []}], (method, path)


def test_a_body_may_leave_out_what_has_a_default() -> None:
    order = document()["components"]["schemas"]["BroadcastIn"]
    assert order["required"] == ["source", "targets"]
    assert '"default":' not in json.dumps(document())
    assert "ordinary" in order["properties"]["cls"]["description"]


def test_a_route_without_an_act_is_no_route() -> None:
    async def nothing(call: Call) -> None: ...

    with pytest.raises(InternalError, match="no act"):
        Route("GET", "/api/v1/open", nothing, "Open to all accounts", "test")


def test_a_route_is_described_by_its_handlers_annotations() -> None:
    class Asked(BaseModel):
        word: str

    class Told(BaseModel):
        number: int

    async def count(call: Call, query: Asked) -> list[Told]:
        return []

    count.__annotations__ |= {"query": Asked, "return": list[Told]}
    made = document_of([Route("GET", "/count", count, "Count", "test", Access.PUBLIC)], "1")
    operation = made["paths"]["/count"]["get"]
    assert operation["parameters"] == [
        {"name": "word", "in": "query", "required": True, "schema": {"type": "string"}}
    ]
    assert operation["responses"]["200"]["content"]["application/json"]["schema"]["items"] == {
        "$ref": "#/components/schemas/Told"
    }
    assert "422" in operation["responses"]


async def test_the_server_tells_it(app: Any) -> None:
    answer = await app.get("/api/v1/openapi.json")
    assert await answer.json() == document()


def test_the_command_prints_it() -> None:
    command = [sys.executable, "-m", "loa.web.openapi"]
    printed = subprocess.run(command, capture_output=True, check=True, text=True)
    assert json.loads(printed.stdout) == document()
