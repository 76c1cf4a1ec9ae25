"""which geometry a member's energy is of: how far the member relaxed the candidate before it scored it

Revision: 0009, after 0008
"""
import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('member_energies', sa.Column('relaxation_steps', sa.Integer(), server_default='0', nullable=False))
    op.add_column('member_energies', sa.Column('displacement', sa.Double(), nullable=True))
    op.add_column('member_energies', sa.Column('left_minimum', sa.Text(), nullable=True))


def downgrade() -> None:
    for name in ('left_minimum', 'displacement', 'relaxation_steps'):
        op.drop_column('member_energies', name)
