"""The tables. The migrations make them; a test holds the two equal.

Laws: ids are 16 hex digits; every time is whole microseconds of network time; what must outlive a place or a
speaker (broadcasts, play log) refers to it by id without a foreign key. Rows never leave this room:
repositories hand out frozen dataclasses.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ID = String(16)
TIME = BigInteger


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class PlaceRow(Base):
    __tablename__ = "place"
    __table_args__ = (UniqueConstraint("parent", "slug"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    parent: Mapped[str | None] = mapped_column(ForeignKey("place.id", ondelete="RESTRICT"))
    name: Mapped[str] = mapped_column(String(120))
    slug: Mapped[str] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(32))
    position: Mapped[int]
    latency_ms: Mapped[int | None]
    profile: Mapped[str | None] = mapped_column(String(8))


class PlaceSlugRow(Base):
    """Every path a place has or ever had; `until_us` is null while it has it."""

    __tablename__ = "place_slug"

    path: Mapped[str] = mapped_column(String(512), primary_key=True)
    place: Mapped[str] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"), index=True)
    since_us: Mapped[int] = mapped_column(TIME)
    until_us: Mapped[int | None] = mapped_column(TIME)


class SpeakerRow(Base):
    __tablename__ = "speaker"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    place: Mapped[str] = mapped_column(ForeignKey("place.id", ondelete="RESTRICT"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    public_key: Mapped[str] = mapped_column(String(64), unique=True)
    serial: Mapped[str] = mapped_column(String(64))
    software: Mapped[str] = mapped_column(String(64))
    notes: Mapped[str] = mapped_column(Text)
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    state: Mapped[str] = mapped_column(String(16))
    enrolled_at_us: Mapped[int] = mapped_column(TIME)
    last_seen_us: Mapped[int | None] = mapped_column(TIME)


class SpeakerKeyRow(Base):
    """A key that a speaker had and has no more: it never attaches or enrols again."""

    __tablename__ = "speaker_key"

    public_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    speaker: Mapped[str] = mapped_column(ID, index=True)
    until_us: Mapped[int] = mapped_column(TIME)
    why: Mapped[str] = mapped_column(String(16))


class EnrolmentCodeRow(Base):
    __tablename__ = "enrolment_code"

    hash: Mapped[str] = mapped_column(String(128), primary_key=True)
    id: Mapped[str] = mapped_column(ID, unique=True)
    place: Mapped[str] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    expires_us: Mapped[int] = mapped_column(TIME)
    created_by: Mapped[str | None] = mapped_column(ID)
    used_at_us: Mapped[int | None] = mapped_column(TIME)
    used_by: Mapped[str | None] = mapped_column(ForeignKey("speaker.id", ondelete="SET NULL"))
    replaces: Mapped[str | None] = mapped_column(ForeignKey("speaker.id", ondelete="CASCADE"))
    approved: Mapped[bool]


class VolumeRow(Base):
    """The latest order of how loud a speaker, or all below a place, is. `statement`: as it was signed."""

    __tablename__ = "volume"

    target: Mapped[str] = mapped_column(ID, primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    volume_db: Mapped[float]
    emergency_floor_db: Mapped[float]
    muted: Mapped[bool]
    statement: Mapped[bytes] = mapped_column(LargeBinary)
    ordered_by: Mapped[str | None] = mapped_column(ID)


class ProgramRow(Base):
    __tablename__ = "program"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    place: Mapped[str] = mapped_column(ID, index=True)
    title: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), index=True)
    folder: Mapped[str | None] = mapped_column(String(64))
    frames: Mapped[int]
    mp3_frames: Mapped[int]
    duration_s: Mapped[float]
    loudness_lufs: Mapped[float | None]
    true_peak_dbtp: Mapped[float | None]
    peaks: Mapped[list[Any]] = mapped_column(JSON)
    error: Mapped[str | None] = mapped_column(Text)
    created_by: Mapped[str | None] = mapped_column(ID)
    created_us: Mapped[int] = mapped_column(TIME)


class BroadcastRow(Base):
    __tablename__ = "broadcast"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    program: Mapped[str | None] = mapped_column(ID, index=True)
    source: Mapped[str] = mapped_column(String(16))
    title: Mapped[str] = mapped_column(String(200))
    cls: Mapped[int]
    severity: Mapped[int]
    origin: Mapped[int]
    drill: Mapped[bool]
    targets: Mapped[list[Any]] = mapped_column(JSON)
    issuer_place: Mapped[str] = mapped_column(ID)
    issuer_account: Mapped[str | None] = mapped_column(ID)
    resume: Mapped[str] = mapped_column(String(16))
    repeat: Mapped[int]
    chime: Mapped[str | None] = mapped_column(String(16))
    started_us: Mapped[int] = mapped_column(TIME, index=True)
    expires_us: Mapped[int] = mapped_column(TIME)
    ended_us: Mapped[int | None] = mapped_column(TIME, index=True)
    reason: Mapped[str | None] = mapped_column(String(16))


class PlayOrderedRow(Base):
    """One stretch of time in which a speaker was ordered to play a broadcast."""

    __tablename__ = "play_ordered"
    __table_args__ = (Index(None, "speaker", "from_us"),)

    broadcast: Mapped[str] = mapped_column(ID, primary_key=True)
    speaker: Mapped[str] = mapped_column(ID, primary_key=True)
    from_us: Mapped[int] = mapped_column(TIME, primary_key=True)
    until_us: Mapped[int | None] = mapped_column(TIME)
    place: Mapped[str] = mapped_column(ID)
    name: Mapped[str] = mapped_column(String(120))


class PlayHeardRow(Base):
    """One stretch that a speaker reports to have verified and played."""

    __tablename__ = "play_heard"

    broadcast: Mapped[str] = mapped_column(ID, primary_key=True)
    speaker: Mapped[str] = mapped_column(ID, primary_key=True)
    program: Mapped[str] = mapped_column(ID, primary_key=True)
    first_media_us: Mapped[int] = mapped_column(TIME, primary_key=True)
    last_media_us: Mapped[int] = mapped_column(TIME)
    frames_played: Mapped[int] = mapped_column(BigInteger)
    frames_concealed: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))
    level_dbfs: Mapped[float | None]
    started_at_us: Mapped[int] = mapped_column(TIME)
    sounded_at_us: Mapped[int | None] = mapped_column(TIME)
    reported_us: Mapped[int] = mapped_column(TIME)


class SettingRow(Base):
    __tablename__ = "setting"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
