"""the candidate that stands for another one's minimum, for programs

Revision: 0006, after 0005
"""
import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('scores', sa.Column('same_as', sa.BigInteger(), nullable=True))
    op.execute("UPDATE scores SET same_as = substring(verdict from '^same minimum as #([0-9]+)$')::bigint")


def downgrade() -> None:
    op.drop_column('scores', 'same_as')
