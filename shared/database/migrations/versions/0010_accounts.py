"""accounts that can be disabled, keys that expire, groups, quotas, an audit trail

Revision: 0010, after 0009
"""

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
