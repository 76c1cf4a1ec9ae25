"""Users and keys from the command line, next to the database:

python -m shared.database.admin create-user NAME --role admin|submit|read    prints a new key, once
python -m shared.database.admin revoke PREFIX                                ends the keys with this prefix
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from shared.database.repositories.users import Role, create_key, revoke
from shared.database.session import connect, sessions
from shared.settings import settings


def _arguments(argv: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m shared.database.admin", description="Users and API keys.")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create-user", help="make a key for a user, who is created where missing")
    create.add_argument("name")
    create.add_argument("--role", choices=[role.value for role in Role], default=Role.SUBMIT.value)
    end = commands.add_parser("revoke", help="end the keys with this prefix (the part between the underscores)")
    end.add_argument("prefix")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status. The key alone goes to standard output, so that scripts can read it."""
    arguments = _arguments(argv)
    engine = connect(settings().database_url.get_secret_value(), pool_size=1)
    try:
        with sessions(engine).begin() as session:
            if arguments.command == "create-user":
                key = create_key(session, arguments.name, Role(arguments.role))
            else:
                ended = revoke(session, arguments.prefix)
    finally:
        engine.dispose()
    if arguments.command == "create-user":
        sys.stdout.write(f"{key}\n")
        sys.stderr.write("Keep this key: it is not shown again.\n")
        return 0
    sys.stderr.write(f"{ended} key(s) revoked\n")
    return 0 if ended else 1


if __name__ == "__main__":
    raise SystemExit(main())
