"""PostgreSQL: tables, sessions, repositories, migrations."""
