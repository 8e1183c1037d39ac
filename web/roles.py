"""What roles there are. Who has which of them where is said with the accounts.

Law: roles hold in the whole territory, so they are edited at its root; and nobody puts into a role what they
may not do themselves, or an editor of roles could make more of their own.
"""

from collections.abc import Iterable

from ..errors import DeniedError
from ..station.act import Act
from ..station.role import NewRole, Role, RoleChange
from .call import Call
from .role_models import RoleIn, RoleOut, RolePatch
from .route import Access, Listing, Route


def role_routes(api: str) -> tuple[Route, ...]:
    path, tag, edit = f"{api}/roles", "people", Act.EDIT_ROLES
    one = f"{path}/{{id}}"
    return (
        Route("GET", path, list_roles, "Roles", tag, Access.ACCOUNT, Act.OWN),
        Route("POST", path, add_role, "Make a role", tag, act=edit, status=201, errors=(404, 409)),
        Route("PATCH", one, change_role, "Change a role", tag, act=edit, errors=(409,)),
        Route("DELETE", one, remove_role, "Remove a role", tag, act=edit, status=204, errors=(409,)),
    )


async def list_roles(call: Call) -> Listing[RoleOut]:
    """The built-in ones first."""
    call.require()
    return Listing(_told(role) for role in await call.desk.station.roles.list())


async def add_role(call: Call, body: RoleIn) -> RoleOut:
    _at_root(call, body.acts)
    role = await call.desk.station.roles.add(NewRole(body.name, frozenset(body.acts), body.second_factor))
    call.about(role.id, name=role.name, acts=_worded(role.acts), second_factor=role.second_factor)
    return _told(role)


async def change_role(call: Call, body: RolePatch) -> RoleOut:
    _at_root(call, body.acts or ())
    acts = None if body.acts is None else frozenset(body.acts)
    change = RoleChange(body.name, acts, body.second_factor)
    role = await call.desk.station.roles.change(call.id, change)
    call.about(name=role.name, acts=_worded(role.acts), second_factor=role.second_factor)
    return _told(role)


async def remove_role(call: Call) -> None:
    _at_root(call, ())
    role = await call.desk.station.roles.get(call.id)
    await call.desk.station.roles.delete(role.id)
    call.about(name=role.name)


def _at_root(call: Call, given: Iterable[Act]) -> None:
    root = next(iter(call.desk.directory.places))
    call.require([root])
    for act in given:
        if act is not Act.OWN and not call.desk.authority.scope(call.person, act).covers(root):
            raise DeniedError(f"acts: you may not {act} everywhere, expected what you may do yourself")


def _told(role: Role) -> RoleOut:
    return RoleOut(
        id=role.id,
        name=role.name,
        builtin=role.builtin,
        acts=[act for act in Act if act in role.acts],
        second_factor=role.second_factor,
    )


def _worded(acts: Iterable[Act]) -> str:
    return " ".join(sorted(acts))
