"""indexes of open jobs alone: how many are older than one, and how many a user has

Revision: 0016, after 0015
"""
import sqlalchemy as sa
from alembic import op

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None

OPEN = sa.text("state IN ('queued', 'running')")


def upgrade() -> None:
    op.create_index('ix_jobs_line', 'jobs', ['created_at', 'id'], postgresql_where=OPEN)
    op.create_index('ix_jobs_open_of_user', 'jobs', ['user_id'], postgresql_where=OPEN)


def downgrade() -> None:
    op.drop_index('ix_jobs_open_of_user', table_name='jobs')
    op.drop_index('ix_jobs_line', table_name='jobs')
