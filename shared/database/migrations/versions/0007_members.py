"""members go by that name alone, and their states in a worker process too

Revision: 0007, after 0006
"""
from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column('workers', 'residents', new_column_name='member_states')
    op.rename_table('models', 'members')
    op.execute('ALTER TABLE members RENAME CONSTRAINT pk_models TO pk_members')
    op.execute('ALTER TABLE members RENAME CONSTRAINT ck_models_energy_kind TO ck_members_energy_kind')


def downgrade() -> None:
    op.execute('ALTER TABLE members RENAME CONSTRAINT ck_members_energy_kind TO ck_models_energy_kind')
    op.execute('ALTER TABLE members RENAME CONSTRAINT pk_members TO pk_models')
    op.rename_table('members', 'models')
    op.alter_column('workers', 'member_states', new_column_name='residents')
