"""A cover for each organisation: the picture beside its forms on wide screens."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("organisation", sa.Column("cover", sa.LargeBinary(), nullable=True))
    op.add_column("organisation", sa.Column("cover_type", sa.String(), nullable=True))
