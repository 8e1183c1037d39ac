"""The tables of sources and of what they leave behind: radios, encoders that push, recordings of what aired.

Laws: those of `schema.py`.
"""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, UniqueConstraint
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


class MulticastRow(Base):
    """A group on a LAN to which a place's sound is sent. `classes`: numbers of `BroadcastClass`."""

    __tablename__ = "multicast"
    __table_args__ = (UniqueConstraint("group", "port"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    place: Mapped[str] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"), index=True)
    group: Mapped[str] = mapped_column(String(45))
    port: Mapped[int]
    codec: Mapped[str] = mapped_column(String(8))
    classes: Mapped[list[Any]] = mapped_column(JSON)
    ttl: Mapped[int]
    interface: Mapped[str] = mapped_column(String(45))
    created_by: Mapped[str | None] = mapped_column(ID)
    created_us: Mapped[int] = mapped_column(TIME)


class RecordingRow(Base):
    """The packets of a program as it aired, in a file: frame i is that of grid number `first_k` + i.

    `until_us` is null, and `frames` 0, while it is being written.
    """

    __tablename__ = "recording"

    program: Mapped[str] = mapped_column(ID, primary_key=True)
    first_k: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    broadcast: Mapped[str] = mapped_column(ID, index=True)
    cls: Mapped[int]
    file: Mapped[str] = mapped_column(String(120))
    frames: Mapped[int] = mapped_column(BigInteger)
    until_us: Mapped[int | None] = mapped_column(TIME, index=True)


class AiredRow(Base):
    """From `at_us` on, this broadcast (none: silence) won at a place, and below it if `whole`."""

    __tablename__ = "aired"
    __table_args__ = (Index(None, "place", "at_us"),)

    number: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(ID)
    whole: Mapped[bool]
    at_us: Mapped[int] = mapped_column(TIME, index=True)
    broadcast: Mapped[str | None] = mapped_column(ID)
    program: Mapped[str | None] = mapped_column(ID)
