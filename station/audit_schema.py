"""The tables of the audit log: entries that are only ever added, and the heads that were signed.

Laws: those of `schema.py`; the database itself refuses to change or delete a row (triggers of the migration).
"""

from typing import Any

from sqlalchemy import JSON, BigInteger, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from .schema import ID, TIME, Base


class AuditEntryRow(Base):
    """`hash` covers every other column and the hash of the entry before (`audit.py`)."""

    __tablename__ = "audit_entry"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at_us: Mapped[int] = mapped_column(TIME, index=True)
    actor: Mapped[str | None] = mapped_column(ID, index=True)
    actor_name: Mapped[str] = mapped_column(String(120))
    via: Mapped[str] = mapped_column(String(16))
    address: Mapped[str] = mapped_column(String(64))
    act: Mapped[str] = mapped_column(String(32), index=True)
    subject: Mapped[str] = mapped_column(String(120))
    places: Mapped[list[Any]] = mapped_column(JSON)
    result: Mapped[str] = mapped_column(String(32))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    hash: Mapped[str] = mapped_column(String(64))


class AuditHeadRow(Base):
    """The hash of entry `number`, signed by the node; `grants` say why its key is believed."""

    __tablename__ = "audit_head"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at_us: Mapped[int] = mapped_column(TIME, primary_key=True)
    hash: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str] = mapped_column(ID)
    grants: Mapped[list[Any]] = mapped_column(JSON)
    signature: Mapped[bytes] = mapped_column(LargeBinary)
