"""what each user has used, by month; whose turn it is, by device time

Revision: 0011, after 0010
"""
import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
OPEN = "state IN ('queued', 'running')"
CLAIMABLE = ('stages', 'references', 'walkers', 'member_energies')
OF_MEMBERS = ('references', 'walkers', 'member_energies')


def upgrade() -> None:
    op.create_table(
        'lanes',
        sa.Column('job_id', sa.Uuid(), nullable=False),
        sa.Column('member', sa.Text(), nullable=False),
        sa.Column('work', sa.Text(), nullable=False),
        sa.Column('open', sa.Boolean(), nullable=False),
        sa.Column('user_id', sa.BigInteger(), nullable=False),
        sa.Column('rank', sa.Integer(), nullable=False),
        sa.Column('age', MOMENT, nullable=False),
        sa.Column('lag', sa.Integer(), nullable=False),
        sa.Column('device_s', sa.Double(), server_default='0', nullable=False),
        sa.Column('pieces', sa.Integer(), server_default='0', nullable=False),
        sa.CheckConstraint("work IN ('reference', 'walker', 'evaluation')", name='ck_lanes_work'),
        sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name='fk_lanes_job_id', ondelete='CASCADE'),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_lanes_user_id', ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('job_id', 'member', 'work', name='pk_lanes'),
    )
    op.create_index(
        'ix_lanes_open', 'lanes', ['member', 'work', 'user_id', 'rank', 'age', 'job_id'],
        postgresql_where=sa.text('open'),
    )
    op.create_index('ix_lanes_user', 'lanes', ['user_id'])
    op.create_table(
        'turns',
        sa.Column('user_id', sa.BigInteger(), nullable=False),
        sa.Column('member', sa.Text(), nullable=False),
        sa.Column('stripe', sa.SmallInteger(), nullable=False),
        sa.Column('device_s', sa.Double(), server_default='0', nullable=False),
        sa.Column('pieces', sa.BigInteger(), server_default='0', nullable=False),
        sa.Column('forgone_s', sa.Double(), server_default='0', nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_turns_user_id', ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('user_id', 'member', 'stripe', name='pk_turns'),
    )
    op.create_table(
        'usage',
        sa.Column('user_id', sa.BigInteger(), nullable=False),
        sa.Column('month', sa.Date(), nullable=False),
        sa.Column('stripe', sa.SmallInteger(), nullable=False),
        sa.Column('device_s', sa.Double(), server_default='0', nullable=False),
        sa.Column('force_calls', sa.BigInteger(), server_default='0', nullable=False),
        sa.Column('jobs', sa.BigInteger(), server_default='0', nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_usage_user_id', ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('user_id', 'month', 'stripe', name='pk_usage'),
    )
    for table in CLAIMABLE:
        op.add_column(table, sa.Column('claimed_for', sa.BigInteger(), nullable=True))
        op.add_column(table, sa.Column('expected_s', sa.Double(), nullable=True))
        op.drop_index(f'ix_{table}_token', table_name=table)
    for table in OF_MEMBERS:
        op.create_index(f'ix_{table}_running', table, ['member'], postgresql_where=sa.text("state = 'running'"))
        op.create_index(
            f'ix_{table}_again', table, ['member', 'attempts'],
            postgresql_where=sa.text("state = 'queued' AND attempts > 0"),
        )
    for table, columns in (('walkers', ['hop', 'id']), ('member_energies', ['id'])):
        op.drop_index(f'ix_{table}_open', table_name=table)
        op.create_index(
            f'ix_{table}_open', table, ['job_id', 'member', 'state', *columns], postgresql_where=sa.text(OPEN)
        )
    op.create_index(
        'ix_walkers_slowest', 'walkers', ['job_id', 'member', 'hop'],
        postgresql_where=sa.text(f'{OPEN} AND refines IS NULL'),
    )
    op.create_index(
        'ix_jobs_staged', 'jobs', ['user_id', sa.text('(- priority)'), 'created_at', 'id'],
        postgresql_where=sa.text(f"{OPEN} AND stage IN ('placing', 'selecting')"),
    )


def downgrade() -> None:
    op.drop_index('ix_jobs_staged', table_name='jobs')
    op.drop_index('ix_walkers_slowest', table_name='walkers')
    for table in ('walkers', 'member_energies'):
        op.drop_index(f'ix_{table}_open', table_name=table)
        op.create_index(f'ix_{table}_open', table, ['member', 'state'], postgresql_where=sa.text(OPEN))
    for table in OF_MEMBERS:
        for name in ('running', 'again'):
            op.drop_index(f'ix_{table}_{name}', table_name=table)
    for table in CLAIMABLE:
        op.create_index(f'ix_{table}_token', table, ['token'])
        for column in ('expected_s', 'claimed_for'):
            op.drop_column(table, column)
    for table in ('usage', 'turns', 'lanes'):
        op.drop_table(table)
