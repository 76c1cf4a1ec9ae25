"""selections, reference energies, calibrations

Revision: 0002, after 0001
"""
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

# What every job has scored and chosen so far becomes its selection number 0.
_FIRST_SELECTIONS = """
INSERT INTO selections (job_id, number, rules, "limit", reference, n_candidates, n_passing, low_confidence)
SELECT jobs.id, 0,
       jsonb_build_object('members', to_jsonb(jobs.score_members), 'spread', jobs.parameters #> '{ensemble,spread}',
                          'limit', jobs.parameters #> '{ensemble,limit}', 'count', jobs.parameters #> '{selection,count}',
                          'include_anomalous', jobs.parameters #> '{selection,include_anomalous}'),
       (jobs.parameters #>> '{ensemble,limit}')::float8,
       coalesce((SELECT min(reference) FROM member_energies WHERE member_energies.job_id = jobs.id), ''),
       count(*), count(*) FILTER (WHERE scores.passes),
       coalesce((SELECT bool_or(minima.low_confidence) FROM minima WHERE minima.job_id = jobs.id), false)
FROM jobs JOIN scores ON scores.job_id = jobs.id
GROUP BY jobs.id
"""


def upgrade() -> None:
    op.create_table('calibrations',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('members', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('functional', sa.Text(), nullable=False),
    sa.Column('spread', sa.Text(), nullable=False),
    sa.Column('limit', sa.Double(), nullable=True),
    sa.Column('report', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('user_id', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("spread IN ('std', 'range')", name=op.f('ck_calibrations_spread')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_calibrations_user_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_calibrations'))
    )
    op.create_index('ix_calibrations_members', 'calibrations', ['members', 'functional', 'spread'])
    op.create_table('selections',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('job_id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('rules', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('limit', sa.Double(), nullable=False),
    sa.Column('calibration_id', sa.BigInteger(), nullable=True),
    sa.Column('reference', sa.Text(), nullable=False),
    sa.Column('n_candidates', sa.Integer(), nullable=False),
    sa.Column('n_passing', sa.Integer(), nullable=False),
    sa.Column('low_confidence', sa.Boolean(), nullable=False),
    sa.Column('user_id', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['calibration_id'], ['calibrations.id'], name=op.f('fk_selections_calibration_id')),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_selections_job_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_selections_user_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_selections')),
    sa.UniqueConstraint('job_id', 'number', name=op.f('uq_selections_job_id_number'))
    )
    op.create_table('reference_energies',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('candidate_id', sa.BigInteger(), nullable=False),
    sa.Column('adsorption_energy', sa.Double(), nullable=False),
    sa.Column('reference', sa.Text(), nullable=False),
    sa.Column('functional', sa.Text(), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('provenance', sa.Text(), nullable=False),
    sa.Column('user_id', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['candidate_id'], ['candidates.id'], name=op.f('fk_reference_energies_candidate_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_reference_energies_user_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reference_energies'))
    )
    op.create_index('ix_reference_energies_candidate', 'reference_energies', ['candidate_id', 'functional'])
    _fill()


def _fill() -> None:
    op.execute(_FIRST_SELECTIONS)
    for table in ('scores', 'minima'):
        op.add_column(table, sa.Column('selection_id', sa.BigInteger(), nullable=True))
        op.execute(f"UPDATE {table} SET selection_id = selections.id FROM selections WHERE selections.job_id = {table}.job_id")
        op.alter_column(table, 'selection_id', nullable=False)
        op.create_foreign_key(op.f(f'fk_{table}_selection_id'), table, 'selections', ['selection_id'], ['id'], ondelete='CASCADE')
    op.add_column('scores', sa.Column('verdict', sa.Text(), server_default='', nullable=False))
    op.execute("UPDATE scores SET verdict = CASE WHEN passes THEN 'passes' ELSE reason END")
    op.alter_column('scores', 'verdict', server_default=None)
    op.drop_constraint('pk_scores', 'scores')
    op.create_primary_key('pk_scores', 'scores', ['selection_id', 'candidate_id'])
    op.drop_index('ix_scores_job', 'scores')
    op.drop_column('scores', 'job_id')
    op.create_index('ix_scores_candidate', 'scores', ['candidate_id'])
    op.drop_constraint('uq_minima_job_id_rank', 'minima')
    op.drop_constraint('uq_minima_job_id_candidate_id', 'minima')
    op.create_unique_constraint('uq_minima_selection_id_rank', 'minima', ['selection_id', 'rank'])
    op.create_unique_constraint('uq_minima_selection_id_candidate_id', 'minima', ['selection_id', 'candidate_id'])
    op.create_index('ix_minima_job', 'minima', ['job_id'])
    op.create_index('ix_minima_candidate', 'minima', ['candidate_id'])


def downgrade() -> None:
    op.execute("DELETE FROM selections WHERE number > 0")
    op.drop_index('ix_minima_candidate', 'minima')
    op.drop_index('ix_minima_job', 'minima')
    op.drop_constraint('uq_minima_selection_id_candidate_id', 'minima')
    op.drop_constraint('uq_minima_selection_id_rank', 'minima')
    op.create_unique_constraint('uq_minima_job_id_candidate_id', 'minima', ['job_id', 'candidate_id'])
    op.create_unique_constraint('uq_minima_job_id_rank', 'minima', ['job_id', 'rank'])
    op.drop_index('ix_scores_candidate', 'scores')
    op.add_column('scores', sa.Column('job_id', sa.Uuid(), nullable=True))
    op.execute("UPDATE scores SET job_id = selections.job_id FROM selections WHERE selections.id = scores.selection_id")
    op.alter_column('scores', 'job_id', nullable=False)
    op.create_foreign_key('fk_scores_job_id', 'scores', 'jobs', ['job_id'], ['id'], ondelete='CASCADE')
    op.create_index('ix_scores_job', 'scores', ['job_id'])
    op.drop_constraint('pk_scores', 'scores')
    op.create_primary_key('pk_scores', 'scores', ['candidate_id'])
    op.drop_column('scores', 'verdict')
    for table in ('minima', 'scores'):
        op.drop_column(table, 'selection_id')
    op.drop_table('reference_energies')
    op.drop_table('selections')
    op.drop_table('calibrations')
