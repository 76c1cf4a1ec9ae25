"""calibrations that administrators publish, and that a job is pinned to; references that are tried again; numbers of selections

Revision: 0012, after 0011
"""
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None

_IN_FORCE = 'published_at IS NOT NULL AND withdrawn_at IS NULL'

# What jobs got until now, the newest of its kind, stays in force; an administrator may withdraw it.
_PUBLISH_NEWEST = """
UPDATE calibrations SET published_at = created_at
WHERE "limit" IS NOT NULL AND id IN (SELECT max(id) FROM calibrations GROUP BY members, functional, spread)
"""
_PIN_OPEN_JOBS = """
UPDATE jobs SET calibration_id = calibrations.id FROM calibrations
WHERE jobs.state IN ('queued', 'running') AND jobs.parameters #>> '{ensemble,limit}' = 'calibrated'
  AND calibrations.published_at IS NOT NULL
  AND calibrations.members @> jobs.score_members AND calibrations.members <@ jobs.score_members
  AND calibrations.functional = jobs.parameters #>> '{ensemble,functional}'
  AND calibrations.spread = jobs.parameters #>> '{ensemble,spread}'
"""
_PIN_ENDED_JOBS = """
UPDATE jobs SET calibration_id = selections.calibration_id FROM selections
WHERE selections.job_id = jobs.id AND selections.number = 0 AND selections.calibration_id IS NOT NULL
"""
_LAST_SELECTIONS = """
UPDATE jobs SET last_selection = made.last FROM (SELECT job_id, max(number) AS last FROM selections GROUP BY job_id) AS made
WHERE made.job_id = jobs.id AND made.last > 0
"""


def upgrade() -> None:
    op.add_column('calibrations', sa.Column('label_ids', postgresql.ARRAY(sa.BigInteger()), server_default='{}', nullable=False))
    op.add_column('calibrations', sa.Column('sources', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False))
    for name in ('published_at', 'withdrawn_at'):
        op.add_column('calibrations', sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    for name in ('publisher_id', 'withdrawer_id'):
        op.add_column('calibrations', sa.Column(name, sa.BigInteger(), nullable=True))
        op.create_foreign_key(op.f(f'fk_calibrations_{name}'), 'calibrations', 'users', [name], ['id'], ondelete='SET NULL')
    op.add_column('calibrations', sa.Column('successor_id', sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f('fk_calibrations_successor_id'), 'calibrations', 'calibrations', ['successor_id'], ['id'])
    op.execute(_PUBLISH_NEWEST)
    op.create_check_constraint(op.f('ck_calibrations_published_has_limit'), 'calibrations', 'published_at IS NULL OR "limit" IS NOT NULL')
    op.create_check_constraint(
        op.f('ck_calibrations_withdrawn_was_published'), 'calibrations', 'withdrawn_at IS NULL OR published_at IS NOT NULL'
    )
    op.create_index('ix_calibrations_author', 'calibrations', ['user_id'])
    op.create_index(
        'uq_calibrations_in_force', 'calibrations', ['members', 'functional', 'spread'], unique=True,
        postgresql_where=sa.text(_IN_FORCE),
    )
    op.add_column('jobs', sa.Column('calibration_id', sa.BigInteger(), nullable=True))
    op.add_column('jobs', sa.Column('last_selection', sa.Integer(), server_default='0', nullable=False))
    op.create_foreign_key(op.f('fk_jobs_calibration_id'), 'jobs', 'calibrations', ['calibration_id'], ['id'])
    op.create_index(op.f('ix_jobs_calibration_id'), 'jobs', ['calibration_id'])
    for statement in (_PIN_OPEN_JOBS, _PIN_ENDED_JOBS, _LAST_SELECTIONS):
        op.execute(statement)
    op.alter_column('selections', 'limit', nullable=True)
    op.create_index('ix_selections_asked', 'selections', ['user_id'], postgresql_where=sa.text('number > 0'))
    op.create_index('ix_reference_energies_user', 'reference_energies', ['user_id'])
    op.add_column('references', sa.Column('retries', sa.Integer(), server_default='0', nullable=False))
    op.add_column('references', sa.Column('retried_at', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for name in ('retried_at', 'retries'):
        op.drop_column('references', name)
    op.drop_index('ix_reference_energies_user', 'reference_energies')
    op.drop_index('ix_selections_asked', 'selections', postgresql_where=sa.text('number > 0'))
    # no limit was had, and none is told: the largest that may be asked for
    op.execute('UPDATE selections SET "limit" = 10 WHERE "limit" IS NULL')
    op.alter_column('selections', 'limit', nullable=False)
    op.drop_index(op.f('ix_jobs_calibration_id'), 'jobs')
    for name in ('last_selection', 'calibration_id'):
        op.drop_column('jobs', name)
    op.drop_index('uq_calibrations_in_force', 'calibrations', postgresql_where=sa.text(_IN_FORCE))
    op.drop_index('ix_calibrations_author', 'calibrations')
    for name in ('withdrawn_was_published', 'published_has_limit'):
        op.drop_constraint(op.f(f'ck_calibrations_{name}'), 'calibrations')
    for name in ('successor_id', 'withdrawer_id', 'publisher_id', 'withdrawn_at', 'published_at', 'sources', 'label_ids'):
        op.drop_column('calibrations', name)
