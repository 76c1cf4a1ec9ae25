"""what workers hold, and what members have shown on devices

Revision: 0003, after 0002
"""
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('member_devices',
    sa.Column('member', sa.Text(), nullable=False),
    sa.Column('member_sha256', sa.Text(), nullable=False),
    sa.Column('device', sa.Text(), nullable=False),
    sa.Column('load_s', sa.Double(), nullable=False),
    sa.Column('memory_bytes', sa.BigInteger(), nullable=False),
    sa.Column('canary_energy', sa.Double(), nullable=False),
    sa.Column('canary_forces', postgresql.ARRAY(sa.Double()), nullable=False),
    sa.Column('batch_atoms', sa.Integer(), nullable=True),
    sa.Column('batch_learned_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('loaded_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('member', 'member_sha256', 'device', name=op.f('pk_member_devices'))
    )
    op.add_column('workers', sa.Column('residents', postgresql.JSONB(astext_type=sa.Text()), server_default='[]', nullable=False))
    op.alter_column('models', 'cutoff', existing_type=sa.Double(), nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM models WHERE cutoff IS NULL")
    op.alter_column('models', 'cutoff', existing_type=sa.Double(), nullable=False)
    op.drop_column('workers', 'residents')
    op.drop_table('member_devices')
