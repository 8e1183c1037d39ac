"""The tables of sources and of what they leave behind: radios, encoders that push, recordings of what aired.

Laws: those of `schema.py`.
"""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from .schema import ID, TIME, Base


class RadioRow(Base):
    """A radio to relay: `addresses` that do not fail together, best first. `place`: whose it is."""

    __tablename__ = "radio"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    place: Mapped[str] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    addresses: Mapped[list[Any]] = mapped_column(JSON)
    created_by: Mapped[str | None] = mapped_column(ID)
    created_us: Mapped[int] = mapped_column(TIME)


class PushRow(Base):
    """An encoder that may push. `name` is in its address; the password exists as its hash only."""

    __tablename__ = "push"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    place: Mapped[str] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(63), unique=True)
    title: Mapped[str] = mapped_column(String(120))
    hash: Mapped[str] = mapped_column(String(64))
    created_by: Mapped[str | None] = mapped_column(ID)
    created_us: Mapped[int] = mapped_column(TIME)


class RecordingRow(Base):
    """The packets of a program as it aired, in a file: frame i is that of grid number `first_k` + i."""

    __tablename__ = "recording"

    program: Mapped[str] = mapped_column(ID, primary_key=True)
    first_k: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    broadcast: Mapped[str] = mapped_column(ID, index=True)
    file: Mapped[str] = mapped_column(String(120))
    frames: Mapped[int] = mapped_column(BigInteger)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    until_us: Mapped[int] = mapped_column(TIME, index=True)
