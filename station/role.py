"""A role as the station keeps it: a named set of acts; and an assignment, which says who has it where.

Laws: every station has the built-in roles, and what those allow is said here alone; a role never allows
`Act.OWN`, which nobody needs a role for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from ..errors import OperatorError
from .act import Act
from .text import clean_name

MAX_NAME_CHARS = 64


class Builtin(StrEnum):
    """The roles that every station has."""

    VIEWER = "viewer"
    ANNOUNCER = "announcer"
    EDITOR = "editor"
    APPROVER = "approver"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


NAMES: Mapping[Builtin, str] = MappingProxyType(
    {
        Builtin.VIEWER: "Người xem",
        Builtin.ANNOUNCER: "Phát thanh viên",
        Builtin.EDITOR: "Biên tập viên",
        Builtin.APPROVER: "Lãnh đạo duyệt",
        Builtin.OPERATOR: "Kỹ thuật viên",
        Builtin.ADMINISTRATOR: "Quản trị viên",
    }
)

_ANNOUNCER = frozenset({Act.SEE, Act.AIR, Act.STOP, Act.EDIT_CONTENT})
ACTS: Mapping[Builtin, frozenset[Act]] = MappingProxyType(
    {
        Builtin.VIEWER: frozenset({Act.SEE}),
        Builtin.ANNOUNCER: _ANNOUNCER,
        Builtin.EDITOR: _ANNOUNCER | {Act.AIR_PRIORITY, Act.REORDER},
        Builtin.APPROVER: frozenset(
            {
                Act.SEE,
                Act.STOP,
                Act.REORDER,
                Act.AIR_PRIORITY,
                Act.ALERT,
                Act.DRILL,
                Act.STOP_ALERT,
                Act.SEE_AUDIT,
            }
        ),
        Builtin.OPERATOR: frozenset(
            {
                Act.SEE,
                Act.STOP,
                Act.STOP_ALERT,
                Act.DRILL,
                Act.ENROL,
                Act.EDIT_SPEAKERS,
                Act.APPROVE_SPEAKER,
                Act.VOLUME,
                Act.EDIT_PLACES,
            }
        ),
        Builtin.ADMINISTRATOR: frozenset(Act) - {Act.OWN},
    }
)


@dataclass(frozen=True, slots=True)
class Role:
    """`second_factor`: nobody has it in a session that was opened with a password alone."""

    id: str
    name: str
    builtin: Builtin | None
    acts: frozenset[Act]
    second_factor: bool


@dataclass(frozen=True, slots=True)
class Assignment:
    """The account has the role at the place and at everything below it."""

    id: str
    account: str
    role: str
    place: str


@dataclass(frozen=True, slots=True)
class NewRole:
    """A role of one's own, to be made."""

    name: str
    acts: frozenset[Act]
    second_factor: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", clean_role_name(self.name))
        check_acts(self.acts)


@dataclass(frozen=True, slots=True)
class RoleChange:
    """What to change; what is None stays."""

    name: str | None = None
    acts: frozenset[Act] | None = None
    second_factor: bool | None = None

    def __post_init__(self) -> None:
        if self.name is not None:
            object.__setattr__(self, "name", clean_role_name(self.name))
        if self.acts is not None:
            check_acts(self.acts)


def clean_role_name(name: str) -> str:
    return clean_name(name, where="name of the role", max_chars=MAX_NAME_CHARS)


def check_acts(acts: Iterable[Act]) -> None:
    if Act.OWN in acts:
        raise OperatorError(f"acts of the role: {Act.OWN} needs no role, expected the other acts")
