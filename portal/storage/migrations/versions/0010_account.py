"""Where an identity is used, when its holder last proved to be the customer, and which fields customers fill in."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # With a default: an instance of the version before may still start identities while this one is rolled out.
    op.add_column("identity", sa.Column("channel", sa.String(8), nullable=False, server_default="browser"))
    op.add_column("identity", sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("organisation", sa.Column("field_rules", sa.JSON(), nullable=False, server_default="{}"))
    # Browsers say what they are; a shop's server never says it of its customer.
    op.execute("UPDATE identity SET channel = 'api' WHERE user_agent IS NULL")
