"""refining members

Revision: 0004, after 0003
"""
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('jobs', sa.Column('refine_members', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False))
    op.add_column('walkers', sa.Column('refines', sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f('fk_walkers_refines'), 'walkers', 'candidates', ['refines'], ['id'], ondelete='CASCADE')
    op.create_index(op.f('ix_walkers_refines'), 'walkers', ['refines'])
    op.drop_constraint('uq_walkers_placement_id_member', 'walkers')
    op.create_unique_constraint(op.f('uq_walkers_placement_id_member_refines'), 'walkers', ['placement_id', 'member', 'refines'],
                                postgresql_nulls_not_distinct=True)


def downgrade() -> None:
    op.execute("DELETE FROM walkers WHERE refines IS NOT NULL")
    op.drop_constraint('uq_walkers_placement_id_member_refines', 'walkers')
    op.create_unique_constraint('uq_walkers_placement_id_member', 'walkers', ['placement_id', 'member'])
    op.drop_column('walkers', 'refines')
    op.drop_column('jobs', 'refine_members')
