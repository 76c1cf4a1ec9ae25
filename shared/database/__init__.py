"""PostgreSQL: tables, their workflow, repositories, sessions, migrations, and the command that makes users."""
