"""The spine: places, speakers, programs, broadcasts, the play log, the people."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

_TABLES = (
    "place",
    "place_slug",
    "speaker",
    "enrolment_code",
    "program",
    "broadcast",
    "play_ordered",
    "play_heard",
    "account",
    "session",
    "setting",
)


def upgrade() -> None:
    _places()
    _speakers()
    _codes()
    _programs()
    _broadcasts()
    _play_log()
    _people()
    op.create_table(
        "setting",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_setting"),
    )


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)


def _places() -> None:
    op.create_table(
        "place",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("parent", sa.String(16)),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("slug", sa.String(63), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("latency_ms", sa.Integer),
        sa.Column("profile", sa.String(8)),
        sa.PrimaryKeyConstraint("id", name="pk_place"),
        sa.ForeignKeyConstraint(["parent"], ["place.id"], name="fk_place_parent", ondelete="RESTRICT"),
        sa.UniqueConstraint("parent", "slug", name="uq_place_parent_slug"),
    )
    op.create_table(
        "place_slug",
        sa.Column("path", sa.String(512), nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Column("since_us", sa.BigInteger, nullable=False),
        sa.Column("until_us", sa.BigInteger),
        sa.PrimaryKeyConstraint("path", name="pk_place_slug"),
        sa.ForeignKeyConstraint(["place"], ["place.id"], name="fk_place_slug_place", ondelete="CASCADE"),
    )
    op.create_index("ix_place_slug_place", "place_slug", ["place"])


def _speakers() -> None:
    op.create_table(
        "speaker",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("public_key", sa.String(64), nullable=False),
        sa.Column("serial", sa.String(64), nullable=False),
        sa.Column("software", sa.String(64), nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("lat", sa.Double),
        sa.Column("lon", sa.Double),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("enrolled_at_us", sa.BigInteger, nullable=False),
        sa.Column("last_seen_us", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_speaker"),
        sa.ForeignKeyConstraint(["place"], ["place.id"], name="fk_speaker_place", ondelete="RESTRICT"),
        sa.UniqueConstraint("public_key", name="uq_speaker_public_key"),
    )
    op.create_index("ix_speaker_place", "speaker", ["place"])


def _codes() -> None:
    op.create_table(
        "enrolment_code",
        sa.Column("hash", sa.String(128), nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.String(16)),
        sa.Column("used_at_us", sa.BigInteger),
        sa.Column("used_by", sa.String(16)),
        sa.PrimaryKeyConstraint("hash", name="pk_enrolment_code"),
        sa.ForeignKeyConstraint(["place"], ["place.id"], name="fk_enrolment_code_place", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["used_by"], ["speaker.id"], name="fk_enrolment_code_used_by", ondelete="SET NULL"
        ),
    )
    op.create_index("ix_enrolment_code_place", "enrolment_code", ["place"])


def _programs() -> None:
    op.create_table(
        "program",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("folder", sa.String(64)),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("mp3_frames", sa.Integer, nullable=False),
        sa.Column("duration_s", sa.Double, nullable=False),
        sa.Column("loudness_lufs", sa.Double),
        sa.Column("true_peak_dbtp", sa.Double),
        sa.Column("peaks", sa.JSON, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("created_by", sa.String(16)),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_program"),
    )
    op.create_index("ix_program_state", "program", ["state"])


def _broadcasts() -> None:
    op.create_table(
        "broadcast",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("program", sa.String(16)),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("cls", sa.Integer, nullable=False),
        sa.Column("severity", sa.Integer, nullable=False),
        sa.Column("origin", sa.Integer, nullable=False),
        sa.Column("drill", sa.Boolean, nullable=False),
        sa.Column("targets", sa.JSON, nullable=False),
        sa.Column("issuer_place", sa.String(16), nullable=False),
        sa.Column("issuer_account", sa.String(16)),
        sa.Column("resume", sa.String(16), nullable=False),
        sa.Column("repeat", sa.Integer, nullable=False),
        sa.Column("chime", sa.String(16)),
        sa.Column("started_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("reason", sa.String(16)),
        sa.PrimaryKeyConstraint("id", name="pk_broadcast"),
    )
    for column in ("program", "started_us", "ended_us"):
        op.create_index(f"ix_broadcast_{column}", "broadcast", [column])


def _play_log() -> None:
    op.create_table(
        "play_ordered",
        sa.Column("broadcast", sa.String(16), nullable=False),
        sa.Column("speaker", sa.String(16), nullable=False),
        sa.Column("from_us", sa.BigInteger, nullable=False),
        sa.Column("until_us", sa.BigInteger),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.PrimaryKeyConstraint("broadcast", "speaker", "from_us", name="pk_play_ordered"),
    )
    op.create_index("ix_play_ordered_speaker_from_us", "play_ordered", ["speaker", "from_us"])
    key = ("broadcast", "speaker", "program", "first_media_us")
    op.create_table(
        "play_heard",
        sa.Column("broadcast", sa.String(16), nullable=False),
        sa.Column("speaker", sa.String(16), nullable=False),
        sa.Column("program", sa.String(16), nullable=False),
        sa.Column("first_media_us", sa.BigInteger, nullable=False),
        sa.Column("last_media_us", sa.BigInteger, nullable=False),
        sa.Column("frames_played", sa.BigInteger, nullable=False),
        sa.Column("frames_concealed", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("level_dbfs", sa.Double),
        sa.Column("started_at_us", sa.BigInteger, nullable=False),
        sa.Column("sounded_at_us", sa.BigInteger),
        sa.Column("reported_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint(*key, name="pk_play_heard"),
    )


def _people() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("password", sa.String(255), nullable=False),
        sa.Column("must_change", sa.Boolean, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("key", name="uq_account_key"),
    )
    op.create_table(
        "session",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("account", sa.String(16), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_session"),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name="fk_session_account", ondelete="CASCADE"),
    )
    for column in ("account", "expires_us"):
        op.create_index(f"ix_session_{column}", "session", [column])
