"""structures that are given to be scored, and what each placement of such a job is called

Revision: 0014, after 0013
"""
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'given_structures',
        sa.Column('job_id', sa.Uuid(), nullable=False),
        sa.Column('labels', postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column('positions', sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name='fk_given_structures_job_id', ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('job_id', name='pk_given_structures'),
    )
    op.add_column('placements', sa.Column('label', sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column('placements', 'label')
    op.drop_table('given_structures')
