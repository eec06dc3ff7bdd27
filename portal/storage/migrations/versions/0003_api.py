"""The JSON API: its keys, what an organisation may set, and all fields of a registration."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ADDRESS_FIELDS = (
    "name",
    "company_registration_number",
    "tax_identification_number",
    "street_address",
    "city",
    "city_part",
    "state_region",
    "postal_code",
)


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("kind", sa.String(4), nullable=False),
        sa.Column("label", sa.String(255), nullable=True),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_api_key_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_key_digest")),
    )
    op.create_index(op.f("ix_api_key_organisation_id"), "api_key", ["organisation_id"])
    op.create_table(
        "contact_group",
        sa.Column("contact_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_contact_group_contact_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("contact_id", "name", name=op.f("pk_contact_group")),
    )
    for name in ("hostname", "sender", "logo_type", "privacy_url", "terms_url", "support_email"):
        op.add_column("organisation", sa.Column(name, sa.String(255), nullable=True))
    op.add_column("organisation", sa.Column("locale", sa.String(35), nullable=True))
    op.add_column("organisation", sa.Column("accent", sa.String(7), nullable=True))
    op.add_column("organisation", sa.Column("logo", sa.LargeBinary(), nullable=True))
    for name in ("frame_ancestors", "return_origins"):
        op.add_column("organisation", sa.Column(name, sa.JSON(), nullable=False, server_default="[]"))
    op.add_column(
        "organisation", sa.Column("magic_auth_creates", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.create_index(op.f("ix_organisation_hostname"), "organisation", ["hostname"], unique=True)
    for table in ("contact", "registration"):
        for name in _ADDRESS_FIELDS:
            op.add_column(table, sa.Column(name, sa.String(255), nullable=True))
        op.add_column(table, sa.Column("country", sa.String(2), nullable=True))
        op.add_column(table, sa.Column("ip", sa.String(45), nullable=True))
    op.add_column("registration", sa.Column("groups", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("registration", sa.Column("return_url", sa.String(255), nullable=True))
