"""The OpenAPI 3.1 document, made from the table that dispatches: a route cannot be there and not in here.

`python -m loa.web.openapi` prints it; the front end's client is generated from that.
"""

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from .authority import NOT_BY_TOKEN
from .costly import COSTS
from .model import Problem
from .route import Access, Route
from .table import routes

REF = "#/components/schemas/{model}"
API_VERSION = "1.0"
"""Of the API, not of the program: it grows by its second number, and its first is in every path."""

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
MEANINGS = {
    200: "Done",
    201: "Made",
    202: "Accepted; it goes on in the background",
    204: "Done; nothing to say",
    206: "A part of it",
    400: "The request cannot be read",
    401: "Not logged in",
    403: "Logged in, and not allowed; or the CSRF token is missing",
    404: "No such thing",
    408: "The body did not come in time",
    409: "It clashes with what is there",
    413: "Too large",
    415: "Another content type was expected",
    422: "Readable, and wrong",
    429: "Too many attempts; see Retry-After",
    503: "Not now; see Retry-After",
}
Json = dict[str, Any]


def document_of(routes: Sequence[Route], version: str) -> Json:
    """The document of any table of routes."""
    schemas = _schemas(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Loa",
            "version": version,
            "summary": "A voice on every loudspeaker of a territory",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "loa_session"},
                "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def document() -> Json:
    """The document of this house, without a running server."""
    return document_of(routes(), API_VERSION)


def _schemas(routes: Sequence[Route]) -> Json:
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Problem, "serialization"): None}
    for route in routes:
        for taken in (route.body, route.form):
            if taken is not None:
                wanted[(taken, "validation")] = None
        for given in (route.answer, route.event):
            if given is not None:
                wanted[(given, "serialization")] = None
    _, definitions = models_json_schema(list(wanted), ref_template=REF)
    schemas: Json = definitions.get("$defs", {})
    return {name: _plain(shape) for name, shape in sorted(schemas.items())}


def _plain(shape: Any) -> Any:
    """Without the titles that only repeat names, and with defaults as words.

    Generators of clients take a `default` for a field that is always there, so a body that leaves it
    out would not type-check.
    """
    if isinstance(shape, list):
        return [_plain(item) for item in shape]
    if not isinstance(shape, dict):
        return shape
    plain = {
        key: {name: _plain(field) for name, field in value.items()} if key == "properties" else _plain(value)
        for key, value in shape.items()
        if not (key == "title" and isinstance(value, str)) and key != "default"
    }
    if shape.get("default") is not None:
        told = f"left out: {json.dumps(shape['default'])}"
        plain["description"] = "; ".join(filter(None, (shape.get("description"), told)))
    return plain


def _operation(route: Route) -> Json:
    operation: Json = {"operationId": route.name, "summary": route.summary, "tags": [route.tag]}
    description = (route.handler.__doc__ or "").strip()
    if description:
        operation["description"] = re.sub(r"\s+", " ", description)
    parameters = [*_path_parameters(route), *_query_parameters(route)]
    if parameters:
        operation["parameters"] = parameters
    content = _body(route)
    if content:
        operation["requestBody"] = {"required": True, "content": content}
    operation["responses"] = _responses(route)
    operation["security"] = security(route)
    if route.act is not None:
        operation["x-loa-act"] = route.act.value
    if route.instead:
        operation["x-loa-act-instead"] = [act.value for act in route.instead]
    return operation


def security(route: Route) -> list[dict[str, list[str]]]:
    if route.access is Access.PUBLIC:
        return []
    page: dict[str, list[str]] = {"session": [], "csrf": []} if route.method in UNSAFE else {"session": []}
    by_token = route.access is Access.ACCOUNT and route.act not in NOT_BY_TOKEN
    return [page, {"token": []}] if by_token else [page]


def _path_parameters(route: Route) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
        }
        for name in re.findall(r"{(\w+)}", route.path)
    ]


def _query_parameters(route: Route) -> list[Json]:
    if route.query is None:
        return []
    schema = _plain(route.query.model_json_schema(ref_template=REF))
    required = schema.get("required", [])
    found = []
    for name, shape in schema.get("properties", {}).items():
        parameter = {"name": name, "in": "query", "required": name in required}
        if "description" in shape:
            parameter["description"] = shape["description"]
        found.append(parameter | {"schema": _without(shape, "description")})
    return found


def _without(shape: Json, *keys: str) -> Json:
    return {key: value for key, value in shape.items() if key not in keys}


def _ref(model: type[BaseModel]) -> Json:
    return {"$ref": REF.format(model=model.__name__)}


def _body(route: Route) -> Json | None:
    if route.form is not None:
        return {"multipart/form-data": {"schema": _ref(route.form)}}
    if route.body is not None:
        return {"application/json": {"schema": _ref(route.body)}}
    return None


def _responses(route: Route) -> Json:
    responses: Json = {str(route.status): _success(route)}
    for status in sorted(statuses(route)):
        responses[str(status)] = {
            "description": MEANINGS[status],
            "content": {"application/json": {"schema": _ref(Problem)}},
        }
    return responses


def _success(route: Route) -> Json:
    told: Json = {"description": MEANINGS[route.status]}
    if route.event is not None:
        told["content"] = {route.media: {"schema": _ref(route.event)}}
    elif route.answer is not None:
        schema = _ref(route.answer)
        told["content"] = {
            "application/json": {"schema": {"type": "array", "items": schema} if route.many else schema}
        }
    elif route.streams and route.status != 204:
        told["content"] = {route.media: {"schema": {"type": "string"}}}
    return told


def statuses(route: Route) -> set[int]:
    """Every error status that the route may answer with."""
    found = set(route.errors)
    if (route.method, route.path) in COSTS:
        found.add(429)
    if route.access is not Access.PUBLIC:
        found |= {401, 403}
    if route.method in UNSAFE:
        found.add(503)
    if route.query is not None:
        found.add(422)
    if "{" in route.path:
        found.add(404)
    if route.body is not None or route.form is not None:
        found |= {400, 408, 413, 415, 422}
    return found


def main() -> None:
    """Print the document."""
    json.dump(document(), sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
