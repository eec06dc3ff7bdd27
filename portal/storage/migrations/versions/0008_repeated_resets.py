"""Which form started an identity, so that a reset whose answer was lost can be sent again."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("identity", sa.Column("started_by", sa.LargeBinary(32), nullable=True))
