"""a migration that this version doesn't know

Revision: tomorrow, after the newest of ours
"""

import sqlalchemy as sa
from alembic import op

from shared.database.revision import expected

revision = "tomorrow"
down_revision = expected()
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("walkers", sa.Column("of_tomorrow", sa.Integer()))


def downgrade() -> None:
    op.drop_column("walkers", "of_tomorrow")
