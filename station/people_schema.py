"""The tables of the people: accounts, what they may do and where, how they prove who they are.

Laws: those of `schema.py`. What proves an identity is stored as a hash, or sealed with the vault's data key.
"""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .schema import ID, TIME, Base


class AccountRow(Base):
    __tablename__ = "account"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(64), unique=True)
    full_name: Mapped[str] = mapped_column(String(120))
    state: Mapped[str] = mapped_column(String(16))
    password: Mapped[str] = mapped_column(String(255))
    must_change: Mapped[bool]
    created_us: Mapped[int] = mapped_column(TIME)
    last_login_us: Mapped[int | None] = mapped_column(TIME)


class RoleRow(Base):
    """A named set of acts. `builtin` names one that every station has; its acts are the code's."""

    __tablename__ = "role"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(64), unique=True)
    builtin: Mapped[str | None] = mapped_column(String(16), unique=True)
    acts: Mapped[list[Any]] = mapped_column(JSON)
    second_factor: Mapped[bool]


class AssignmentRow(Base):
    """An account has a role at a place and everything below it."""

    __tablename__ = "assignment"
    __table_args__ = (UniqueConstraint("account", "role", "place"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(ForeignKey("role.id", ondelete="RESTRICT"), index=True)
    place: Mapped[str] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"), index=True)


class FactorRow(Base):
    """A second factor. TOTP: `secret` sealed, `last_step` the last time step used. Passkey: the rest."""

    __tablename__ = "factor"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(64))
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    credential: Mapped[str | None] = mapped_column(String(1366), unique=True)
    public_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    sign_count: Mapped[int | None] = mapped_column(BigInteger)
    created_us: Mapped[int] = mapped_column(TIME)
    confirmed_us: Mapped[int | None] = mapped_column(TIME)
    last_used_us: Mapped[int | None] = mapped_column(TIME)


class RecoveryCodeRow(Base):
    __tablename__ = "recovery_code"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    created_us: Mapped[int] = mapped_column(TIME)
    used_us: Mapped[int | None] = mapped_column(TIME)


class SessionRow(Base):
    """`id` names it to people; the token exists as its hash only."""

    __tablename__ = "session"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(ID, unique=True)
    account: Mapped[str] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    created_us: Mapped[int] = mapped_column(TIME)
    expires_us: Mapped[int] = mapped_column(TIME, index=True)
    seen_us: Mapped[int] = mapped_column(TIME)
    address: Mapped[str] = mapped_column(String(64))
    agent: Mapped[str] = mapped_column(String(200))
    second_factor: Mapped[bool]


class ApiTokenRow(Base):
    """A key for a program: no more than its account may do, and of that only `acts` at `places`."""

    __tablename__ = "api_token"
    __table_args__ = (Index(None, "expires_us"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    account: Mapped[str] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    acts: Mapped[list[Any]] = mapped_column(JSON)
    places: Mapped[list[Any]] = mapped_column(JSON)
    created_us: Mapped[int] = mapped_column(TIME)
    expires_us: Mapped[int] = mapped_column(TIME)
    last_used_us: Mapped[int | None] = mapped_column(TIME)
