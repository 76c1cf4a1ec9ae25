"""references that fit the member, two spreads, cautions

Revision: 0013, after 0012
"""
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None

_KIND = ('members', 'functional', 'spread')
_IN_FORCE = 'published_at IS NOT NULL AND withdrawn_at IS NULL'
_SPREADS = ('std', 'range')

# Until now every member of total energies had its own gas molecules, and those of adsorption energies are on the scale of OC20.
_OWN, _OC20 = "by each member''s own molecules", 'on the scale of OC20 (RPBE)'
_SCALE_OF_ENERGIES = f"""
UPDATE member_energies SET scale = CASE members.energy_kind WHEN 'total' THEN '{_OWN}' ELSE '{_OC20}' END
FROM members WHERE members.name = member_energies.member AND member_energies.reference ~ '[(]g[)]'
"""
_SCALE_OF_CALIBRATIONS = f"""
UPDATE calibrations SET scale = CASE kinds.kind WHEN 'total' THEN '{_OWN}' ELSE '{_OC20}' END
FROM (SELECT calibrations.id, min(energy_kind) AS kind FROM calibrations JOIN members ON members.name = ANY(calibrations.members)
      GROUP BY calibrations.id HAVING count(DISTINCT energy_kind) = 1) AS kinds
WHERE kinds.id = calibrations.id
"""


def _spreads(*names: str) -> None:
    op.drop_constraint(op.f('ck_calibrations_spread'), 'calibrations')
    among = ', '.join(f"'{name}'" for name in names)
    op.create_check_constraint(op.f('ck_calibrations_spread'), 'calibrations', f'spread IN ({among})')


def _kinds(*columns: str) -> None:
    """Which calibrations are of one kind."""
    op.drop_index('uq_calibrations_in_force', 'calibrations', postgresql_where=sa.text(_IN_FORCE))
    op.drop_index('ix_calibrations_members', 'calibrations')
    op.create_index('ix_calibrations_members', 'calibrations', list(columns))
    op.create_index(
        'uq_calibrations_in_force', 'calibrations', list(columns), unique=True, postgresql_where=sa.text(_IN_FORCE)
    )


def upgrade() -> None:
    document = postgresql.JSONB(astext_type=sa.Text())
    op.add_column('members', sa.Column('scale', document, nullable=True))
    op.add_column('members', sa.Column('cautions', document, server_default='[]', nullable=False))
    op.add_column('jobs', sa.Column('scales', document, server_default='{}', nullable=False))
    op.add_column('jobs', sa.Column('cautions', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False))
    op.add_column('member_energies', sa.Column('scale', sa.Text(), nullable=True))
    op.add_column('scores', sa.Column('relative', sa.Double(), nullable=True))
    op.add_column('selections', sa.Column('offsets', document, server_default='{}', nullable=False))
    op.add_column('selections', sa.Column('offset_spread', sa.Double(), nullable=True))
    op.add_column('selections', sa.Column('n_offsets', sa.Integer(), server_default='0', nullable=False))
    op.add_column('calibrations', sa.Column('scale', sa.Text(), server_default='', nullable=False))
    op.execute(_SCALE_OF_ENERGIES)
    op.execute(_SCALE_OF_CALIBRATIONS)
    _spreads(*_SPREADS, 'relative')
    _kinds(*_KIND, 'scale')


def downgrade() -> None:
    # a limit of a spread that the version before doesn't know, or of a scale that it can't tell apart, is in force no more
    op.execute("UPDATE jobs SET calibration_id = NULL WHERE calibration_id IN (SELECT id FROM calibrations WHERE spread = 'relative')")
    op.execute(
        "UPDATE selections SET calibration_id = NULL WHERE calibration_id IN (SELECT id FROM calibrations WHERE spread = 'relative')"
    )
    op.execute("DELETE FROM calibrations WHERE spread = 'relative'")
    op.execute(
        f'UPDATE calibrations SET withdrawn_at = now() WHERE {_IN_FORCE} AND id NOT IN '
        f'(SELECT max(id) FROM calibrations WHERE {_IN_FORCE} GROUP BY members, functional, spread)'
    )
    _kinds(*_KIND)
    _spreads(*_SPREADS)
    op.drop_column('calibrations', 'scale')
    for name in ('n_offsets', 'offset_spread', 'offsets'):
        op.drop_column('selections', name)
    op.drop_column('scores', 'relative')
    op.drop_column('member_energies', 'scale')
    for name in ('cautions', 'scales'):
        op.drop_column('jobs', name)
    for name in ('cautions', 'scale'):
        op.drop_column('members', name)
