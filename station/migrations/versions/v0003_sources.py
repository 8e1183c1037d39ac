"""Sources: radios to relay, encoders that push, recordings of what aired."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "radio",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("addresses", sa.JSON, nullable=False),
        *_made(),
        sa.PrimaryKeyConstraint("id", name="pk_radio"),
        sa.ForeignKeyConstraint(["place"], ["place.id"], name="fk_radio_place", ondelete="CASCADE"),
    )
    op.create_index("ix_radio_place", "radio", ["place"])
    op.create_table(
        "push",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        *_made(),
        sa.PrimaryKeyConstraint("id", name="pk_push"),
        sa.UniqueConstraint("name", name="uq_push_name"),
        sa.ForeignKeyConstraint(["place"], ["place.id"], name="fk_push_place", ondelete="CASCADE"),
    )
    op.create_index("ix_push_place", "push", ["place"])
    op.create_table(
        "multicast",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Column("group", sa.String(45), nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("codec", sa.String(8), nullable=False),
        sa.Column("classes", sa.JSON, nullable=False),
        sa.Column("ttl", sa.Integer, nullable=False),
        sa.Column("interface", sa.String(45), nullable=False),
        *_made(),
        sa.PrimaryKeyConstraint("id", name="pk_multicast"),
        sa.UniqueConstraint("group", "port", name="uq_multicast_group_port"),
        sa.ForeignKeyConstraint(["place"], ["place.id"], name="fk_multicast_place", ondelete="CASCADE"),
    )
    op.create_index("ix_multicast_place", "multicast", ["place"])
    op.create_table(
        "recording",
        sa.Column("program", sa.String(16), nullable=False),
        sa.Column("first_k", sa.BigInteger, nullable=False),
        sa.Column("broadcast", sa.String(16), nullable=False),
        sa.Column("cls", sa.Integer, nullable=False),
        sa.Column("file", sa.String(120), nullable=False),
        sa.Column("frames", sa.BigInteger, nullable=False),
        sa.Column("until_us", sa.BigInteger),
        sa.PrimaryKeyConstraint("program", "first_k", name="pk_recording"),
    )
    for column in ("broadcast", "until_us"):
        op.create_index(f"ix_recording_{column}", "recording", [column])
    op.create_table(
        "aired",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("broadcast", sa.String(16)),
        sa.Column("program", sa.String(16)),
        sa.PrimaryKeyConstraint("number", name="pk_aired"),
    )
    op.create_index("ix_aired_place_at_us", "aired", ["place", "at_us"])
    op.create_index("ix_aired_at_us", "aired", ["at_us"])


def downgrade() -> None:
    for table in ("aired", "recording", "multicast", "push", "radio"):
        op.drop_table(table)


def _made() -> tuple[sa.Column[str], sa.Column[int]]:
    return sa.Column("created_by", sa.String(16)), sa.Column("created_us", sa.BigInteger, nullable=False)
