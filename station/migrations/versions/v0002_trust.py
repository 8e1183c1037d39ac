"""Trust: roles and where they hold, second factors, API tokens, replaced keys, volume, the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

_TABLES = (
    "speaker_key",
    "volume",
    "role",
    "assignment",
    "factor",
    "recovery_code",
    "api_token",
    "audit_entry",
    "audit_head",
)
_APPEND_ONLY = ("audit_entry", "audit_head")


def upgrade() -> None:
    _devices()
    _programs()
    _accounts()
    _roles()
    _factors()
    _sessions()
    _tokens()
    _audit()


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
    for table, columns in (
        ("account", ("full_name", "state", "last_login_us")),
        ("session", ("id", "seen_us", "address", "agent", "second_factor")),
        ("enrolment_code", ("id", "replaces", "approved")),
        ("program", ("place",)),
    ):
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column)


def _devices() -> None:
    op.create_table(
        "speaker_key",
        sa.Column("public_key", sa.String(64), nullable=False),
        sa.Column("speaker", sa.String(16), nullable=False),
        sa.Column("until_us", sa.BigInteger, nullable=False),
        sa.Column("why", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("public_key", name="pk_speaker_key"),
    )
    op.create_index("ix_speaker_key_speaker", "speaker_key", ["speaker"])
    op.create_table(
        "volume",
        sa.Column("target", sa.String(16), nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("volume_db", sa.Double, nullable=False),
        sa.Column("emergency_floor_db", sa.Double, nullable=False),
        sa.Column("muted", sa.Boolean, nullable=False),
        sa.Column("statement", sa.LargeBinary, nullable=False),
        sa.Column("ordered_by", sa.String(16)),
        sa.PrimaryKeyConstraint("target", name="pk_volume"),
    )
    op.add_column("enrolment_code", sa.Column("id", sa.String(16)))
    op.execute("UPDATE enrolment_code SET id = substr(hash, 1, 16)")
    with op.batch_alter_table("enrolment_code") as batch:
        batch.alter_column("id", existing_type=sa.String(16), nullable=False)
        batch.create_unique_constraint("uq_enrolment_code_id", ["id"])
        batch.add_column(sa.Column("replaces", sa.String(16)))
        batch.add_column(sa.Column("approved", sa.Boolean, nullable=False, server_default=sa.true()))
        batch.create_foreign_key(
            "fk_enrolment_code_replaces", "speaker", ["replaces"], ["id"], ondelete="CASCADE"
        )
    _no_default("enrolment_code", "approved")


def _programs() -> None:
    """What there was belongs to the root place, as its only owner did."""
    op.add_column("program", sa.Column("place", sa.String(16)))
    op.execute("UPDATE program SET place = (SELECT id FROM place WHERE parent IS NULL)")
    with op.batch_alter_table("program") as batch:
        batch.alter_column("place", existing_type=sa.String(16), nullable=False)
        batch.create_index("ix_program_place", ["place"])


def _accounts() -> None:
    with op.batch_alter_table("account") as batch:
        batch.add_column(sa.Column("full_name", sa.String(120), nullable=False, server_default=""))
        batch.add_column(sa.Column("state", sa.String(16), nullable=False, server_default="active"))
        batch.add_column(sa.Column("last_login_us", sa.BigInteger))
    for column in ("full_name", "state"):
        _no_default("account", column)


def _roles() -> None:
    op.create_table(
        "role",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("builtin", sa.String(16)),
        sa.Column("acts", sa.JSON, nullable=False),
        sa.Column("second_factor", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_role"),
        sa.UniqueConstraint("key", name="uq_role_key"),
        sa.UniqueConstraint("builtin", name="uq_role_builtin"),
    )
    op.create_table(
        "assignment",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("account", sa.String(16), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_assignment"),
        sa.UniqueConstraint("account", "role", "place", name="uq_assignment_account_role_place"),
        *_owned("assignment", "account"),
        *_owned("assignment", "role", "RESTRICT"),
        *_owned("assignment", "place"),
    )
    _index("assignment", "account", "role", "place")


def _factors() -> None:
    op.create_table(
        "factor",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("account", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("secret", sa.LargeBinary),
        sa.Column("last_step", sa.BigInteger),
        sa.Column("credential", sa.String(1366)),
        sa.Column("public_key", sa.LargeBinary),
        sa.Column("sign_count", sa.BigInteger),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("confirmed_us", sa.BigInteger),
        sa.Column("last_used_us", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_factor"),
        sa.UniqueConstraint("credential", name="uq_factor_credential"),
        *_owned("factor", "account"),
    )
    _index("factor", "account")
    op.create_table(
        "recovery_code",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("account", sa.String(16), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("used_us", sa.BigInteger),
        sa.PrimaryKeyConstraint("hash", name="pk_recovery_code"),
        *_owned("recovery_code", "account"),
    )
    _index("recovery_code", "account")


def _sessions() -> None:
    """Who was logged in logs in again: a session now knows where it came from."""
    op.execute("DELETE FROM session")
    with op.batch_alter_table("session") as batch:
        batch.add_column(sa.Column("id", sa.String(16), nullable=False))
        batch.add_column(sa.Column("seen_us", sa.BigInteger, nullable=False))
        batch.add_column(sa.Column("address", sa.String(64), nullable=False))
        batch.add_column(sa.Column("agent", sa.String(200), nullable=False))
        batch.add_column(sa.Column("second_factor", sa.Boolean, nullable=False))
        batch.create_unique_constraint("uq_session_id", ["id"])


def _tokens() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("account", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("acts", sa.JSON, nullable=False),
        sa.Column("places", sa.JSON, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.Column("last_used_us", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_api_token"),
        sa.UniqueConstraint("hash", name="uq_api_token_hash"),
        *_owned("api_token", "account"),
    )
    _index("api_token", "account", "expires_us")


def _audit() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("number", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(16)),
        sa.Column("actor_name", sa.String(120), nullable=False),
        sa.Column("via", sa.String(16), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("act", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(120), nullable=False),
        sa.Column("places", sa.JSON, nullable=False),
        sa.Column("result", sa.String(32), nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit_entry"),
    )
    _index("audit_entry", "at_us", "actor", "act")
    op.create_table(
        "audit_head",
        sa.Column("number", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("grants", sa.JSON, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", "at_us", name="pk_audit_head"),
    )
    for table in _APPEND_ONLY:
        _refuse_changes(table)


def _refuse_changes(table: str) -> None:
    """What SQL itself refuses, whoever asks. The seal is the chain of hashes and its signed head."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_append_only()"
    )


def _owned(table: str, column: str, ondelete: str = "CASCADE") -> tuple[sa.ForeignKeyConstraint, ...]:
    name = f"fk_{table}_{column}"
    return (sa.ForeignKeyConstraint([column], [f"{column}.id"], name=name, ondelete=ondelete),)


def _index(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(f"ix_{table}_{column}", table, [column])


def _no_default(table: str, column: str) -> None:
    """The default was for the rows that were there; from now on the code says."""
    with op.batch_alter_table(table) as batch:
        batch.alter_column(column, server_default=None)
