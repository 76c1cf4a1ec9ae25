"""whose turn it is, by the tokens of the latest claims

Revision: 0005, after 0004
"""
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

_TABLES = ('stages', 'references', 'walkers', 'member_energies')


def upgrade() -> None:
    for table in _TABLES:
        op.create_index(op.f(f'ix_{table}_token'), table, ['token'], unique=False)


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_index(op.f(f'ix_{table}_token'), table_name=table)
