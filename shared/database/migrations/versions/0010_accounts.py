"""accounts that can be disabled, keys that expire, groups, quotas, an audit trail

Revision: 0010, after 0009
"""
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
USERS: dict[str, sa.types.TypeEngine[Any]] = {
    'disabled_at': MOMENT,
    'max_open_jobs': sa.Integer(),
    'max_open_force_calls': sa.BigInteger(),
    'max_requests_per_minute': sa.Integer(),
    'max_bytes': sa.BigInteger(),
}
JOBS: dict[str, sa.types.TypeEngine[Any]] = {
    'estimated_force_calls': sa.BigInteger(),
    'stored_bytes': sa.BigInteger(),
    'measured_at': MOMENT,
    'candidates_dropped_at': MOMENT,
    'deleted_at': MOMENT,
}


def upgrade() -> None:
    for name, kind in USERS.items():
        op.add_column('users', sa.Column(name, kind, nullable=True))
    op.add_column('api_keys', sa.Column('label', sa.Text(), server_default='', nullable=False))
    op.add_column('api_keys', sa.Column('expires_at', MOMENT, nullable=True))
    op.add_column('api_keys', sa.Column('last_used_at', MOMENT, nullable=True))
    op.create_index('ix_api_keys_user_id', 'api_keys', ['user_id'])
    op.create_index('ix_api_keys_prefix', 'api_keys', ['prefix'])
    op.create_table(
        'groups',
        sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('created_at', MOMENT, server_default=sa.text('now()'), nullable=False),
        sa.PrimaryKeyConstraint('id', name='pk_groups'),
        sa.UniqueConstraint('name', name='uq_groups_name'),
    )
    op.create_table(
        'memberships',
        sa.Column('group_id', sa.BigInteger(), nullable=False),
        sa.Column('user_id', sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(['group_id'], ['groups.id'], name='fk_memberships_group_id', ondelete='CASCADE'),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_memberships_user_id', ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('group_id', 'user_id', name='pk_memberships'),
    )
    op.create_index('ix_memberships_user_id', 'memberships', ['user_id'])
    op.create_table(
        'audit',
        sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column('at', MOMENT, server_default=sa.text('now()'), nullable=False),
        sa.Column('user_id', sa.BigInteger(), nullable=True),
        sa.Column('user_name', sa.Text(), nullable=False),
        sa.Column('key_prefix', sa.Text(), nullable=False),
        sa.Column('address', sa.Text(), nullable=False),
        sa.Column('request_id', sa.Text(), nullable=False),
        sa.Column('action', sa.Text(), nullable=False),
        sa.Column('job_id', sa.Uuid(), nullable=True),
        sa.Column('owner_id', sa.BigInteger(), nullable=True),
        sa.Column('subject', sa.Text(), nullable=False),
        sa.Column('detail', postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint('id', name='pk_audit'),
    )
    for column in ('user_id', 'owner_id', 'job_id'):
        op.create_index(
            f'ix_audit_{column}', 'audit', [column, 'id'], postgresql_where=sa.text(f'{column} IS NOT NULL')
        )
    op.create_index('ix_audit_at', 'audit', ['at'])
    for name, kind in JOBS.items():
        op.add_column('jobs', sa.Column(name, kind, nullable=True))
    op.add_column('jobs', sa.Column('group_id', sa.BigInteger(), nullable=True))
    op.create_foreign_key('fk_jobs_group_id', 'jobs', 'groups', ['group_id'], ['id'], ondelete='SET NULL')
    newest = [sa.text('created_at DESC'), sa.text('id DESC')]
    op.create_index('ix_jobs_newest', 'jobs', newest)
    op.create_index('ix_jobs_group', 'jobs', ['group_id', *newest], postgresql_where=sa.text('group_id IS NOT NULL'))
    op.create_index(
        'ix_jobs_use', 'jobs', ['user_id'], postgresql_where=sa.text('deleted_at IS NULL'),
        postgresql_include=['state', 'estimated_force_calls', 'stored_bytes'],
    )
    for name, column in (('ended', 'deleted_at'), ('whole', 'candidates_dropped_at'), ('unmeasured', 'measured_at')):
        op.create_index(
            f'ix_jobs_{name}', 'jobs', ['ended_at'],
            postgresql_where=sa.text(f'ended_at IS NOT NULL AND {column} IS NULL'),
        )
    op.create_index('ix_jobs_deleted', 'jobs', ['deleted_at'], postgresql_where=sa.text('deleted_at IS NOT NULL'))
    # what a deleted row is looked for by: without an index each delete reads the whole table
    op.create_index(
        'ix_candidates_duplicate_of', 'candidates', ['duplicate_of'],
        postgresql_where=sa.text('duplicate_of IS NOT NULL'),
    )
    for table in ('candidates', 'placements', 'references'):
        op.create_index(f'ix_{table}_structure_id', table, ['structure_id'])


def downgrade() -> None:
    for table in ('candidates', 'placements', 'references'):
        op.drop_index(f'ix_{table}_structure_id', table_name=table)
    op.drop_index('ix_candidates_duplicate_of', table_name='candidates')
    for name in ('deleted', 'unmeasured', 'whole', 'ended', 'use', 'group', 'newest'):
        op.drop_index(f'ix_jobs_{name}', table_name='jobs')
    for name in ('group_id', *JOBS):
        op.drop_column('jobs', name)
    for table in ('audit', 'memberships', 'groups'):
        op.drop_table(table)
    for name in ('prefix', 'user_id'):
        op.drop_index(f'ix_api_keys_{name}', table_name='api_keys')
    for name in ('last_used_at', 'expires_at', 'label'):
        op.drop_column('api_keys', name)
    for name in USERS:
        op.drop_column('users', name)
