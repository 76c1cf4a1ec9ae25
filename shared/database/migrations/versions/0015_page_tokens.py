"""sessions of the page, and links that open one

Revision: 0015, after 0014
"""
import sqlalchemy as sa
from alembic import op

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        'page_tokens',
        sa.Column('id', sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column('key_id', sa.BigInteger(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('digest', sa.LargeBinary(), nullable=False),
        sa.Column('created_at', MOMENT, server_default=sa.text('now()'), nullable=False),
        sa.Column('expires_at', MOMENT, nullable=False),
        sa.CheckConstraint("kind IN ('session', 'link')", name='ck_page_tokens_kind'),
        sa.ForeignKeyConstraint(['key_id'], ['api_keys.id'], name='fk_page_tokens_key_id', ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name='pk_page_tokens'),
        sa.UniqueConstraint('digest', name='uq_page_tokens_digest'),
    )
    op.create_index('ix_page_tokens_key_id', 'page_tokens', ['key_id'])
    op.create_index('ix_page_tokens_expires_at', 'page_tokens', ['expires_at'])


def downgrade() -> None:
    op.drop_table('page_tokens')
