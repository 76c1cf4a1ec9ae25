"""Users and keys from the command line, next to the database:

python -m shared.database.admin create-user NAME --role admin|submit|read    shows a new key, once
python -m shared.database.admin revoke PREFIX                                ends the keys with this prefix

A key goes to a terminal, or into a new private file: anything else that takes our output may be a log that others read.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from shared import private_files
from shared.command_line import ended
from shared.database.repositories.audit import COMMAND, record
from shared.database.repositories.users import Role, create_key, revoke
from shared.database.session import connect, in_words, sessions
from shared.errors import Misconfigured
from shared.settings import settings
from shared.user_names import user_name


def _arguments(argv: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m shared.database.admin", description="Users and API keys.")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create-user", help="make a key for a user, who is created where missing")
    create.add_argument("name")
    create.add_argument("--role", choices=[role.value for role in Role], default=Role.SUBMIT.value)
    create.add_argument(
        "--key-file", type=Path, metavar="FILE", help="write the key into this new, private file; - is standard output"
    )
    end = commands.add_parser("revoke", help="end the keys with this prefix (the part between the underscores)")
    end.add_argument("prefix")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 2 where it can't be done, 1 where there was nothing to revoke."""
    arguments = _arguments(argv)
    return ended("adhop", lambda: _run(arguments))


def _run(arguments: Namespace) -> int:
    make = arguments.command == "create-user"
    if make:
        user_name(arguments.name)
        _refuse_to_show(arguments.key_file)
    engine = connect(settings().database_url.get_secret_value(), pool_size=1)
    try:
        with in_words(), sessions(engine).begin() as session:
            return _create(session, arguments) if make else _revoke(session, arguments.prefix)
    finally:
        engine.dispose()


def _refuse_to_show(file: Path | None) -> None:
    """Before a key is made that nobody could be told."""
    if file is None and not sys.stdout.isatty():
        raise Misconfigured(
            "the key would go where it may stay readable, for standard output is no terminal: run this in a terminal, or give "
            "--key-file FILE, or --key-file - where a program reads it"
        )
    if file is not None and file.exists():
        raise Misconfigured(f"{file} is there already: delete it, or give another --key-file")


def _create(session: Session, arguments: Namespace) -> int:
    key = create_key(session, arguments.name, Role(arguments.role))
    detail = {"key": key.split("_")[1], "role": arguments.role}
    record(session, COMMAND, "key.create", subject=arguments.name, detail=detail)
    if arguments.key_file in (None, Path("-")):
        sys.stdout.write(f"{key}\n")
        sys.stderr.write("Keep this key: it is not shown again.\n")
    else:
        private_files.write_new(arguments.key_file, f"{key}\n")
        sys.stderr.write(f"The key is in {arguments.key_file}, which only its owner can read.\n")
    return 0


def _revoke(session: Session, prefix: str) -> int:
    ended_keys = revoke(session, prefix)
    if ended_keys:
        record(session, COMMAND, "key.revoke", detail={"key": prefix})
    sys.stderr.write(f"{ended_keys} key(s) revoked\n")
    return 0 if ended_keys else 1


if __name__ == "__main__":
    raise SystemExit(main())
