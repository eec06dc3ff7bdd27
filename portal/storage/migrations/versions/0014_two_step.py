"""The second step of signing in: authenticator apps, recovery codes, trusted browsers, and why an operator reset it."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "second_step",
        sa.Column("contact_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("secret", sa.String(255), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("last_time_step", sa.Integer(), nullable=False),
        sa.Column("failed_codes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_second_step_contact_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("contact_id", name=op.f("pk_second_step")),
    )
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_recovery_code_contact_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
    )
    op.create_index(op.f("ix_recovery_code_contact_id"), "recovery_code", ["contact_id"])
    op.create_table(
        "pending_sign_in",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("remember", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_pending_sign_in_contact_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_sign_in")),
        sa.UniqueConstraint("digest", name=op.f("uq_pending_sign_in_digest")),
    )
    op.create_index(op.f("ix_pending_sign_in_contact_id"), "pending_sign_in", ["contact_id"])
    # With defaults: an instance of the version before may still write rows while this one is rolled out.
    op.add_column("identity", sa.Column("second_step_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("device", sa.Column("failed_codes", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("device", sa.Column("trusted_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "organisation", sa.Column("require_two_step", sa.String(8), nullable=False, server_default="optional")
    )
    op.add_column("event", sa.Column("reason", sa.String(255), nullable=True))
