"""A copy of the database in one file, taken while the site runs, and put back into an empty one."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from django.db import connection

from datasets.services.errors import Refused

ENDINGS = {"sqlite": "sqlite3", "postgresql": "dump"}


def dump(folder: Path, made: str) -> Path:
    """Write the whole database, as it is at one moment, into a folder; `made` is part of the file's name.

    Raises
    ------
    Refused : PostgreSQL's own programs are missing, or failed.
    """
    target = folder / f"database-{made}.{ENDINGS[connection.vendor]}"
    part = target.with_name(f".{target.name}.part")
    part.touch(mode=0o600)
    try:
        if connection.vendor == "sqlite":
            with closing(sqlite3.connect(_path())) as source, closing(sqlite3.connect(part)) as copied:
                source.backup(copied)
        else:
            _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={part}")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def load(dump: Path) -> None:
    """Put a dump into the database that the settings name; it must be empty.

    Raises
    ------
    Refused : the database holds tables, or PostgreSQL's own programs are missing, or failed.
    """
    if connection.introspection.table_names():
        raise Refused("the database is not empty: restore into a new one")
    if connection.vendor == "sqlite":
        connection.close()
        with closing(sqlite3.connect(dump)) as copied, closing(sqlite3.connect(_path())) as target:
            copied.backup(target)
    else:
        _run("pg_restore", "--exit-on-error", "--no-owner", "--no-privileges", "--single-transaction", dump)


def _path() -> Path:
    return Path(connection.settings_dict["NAME"])


def _run(program: str, *arguments: str | Path) -> None:
    """Run one of PostgreSQL's programs; the password goes by the environment, where no other user sees it."""
    if shutil.which(program) is None:
        raise Refused(f"{program} is not installed: it comes with the package postgresql-client")
    place = f"--dbname={_place()}"
    environment = {**os.environ, "PGPASSWORD": str(connection.settings_dict["PASSWORD"] or "")}
    ended = subprocess.run(
        [program, "--no-password", place, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise Refused(f"{program} failed: {_why(program, ended.stderr)}")


def _why(program: str, said: str) -> str:
    """The program's own error; below it may stand the statement that was refused."""
    lines, mark = said.strip().splitlines() or ["no reason"], f"{program}: error: "
    return next((line.removeprefix(mark) for line in lines if line.startswith(mark)), lines[-1])


def _place() -> str:
    """The database as libpq has it, with what DATABASE_URL says of the connection, but nothing secret."""
    # A program that works on SQLite alone needs no libpq.
    from psycopg import pq
    from psycopg.conninfo import make_conninfo

    settings = connection.settings_dict
    own = {"dbname": settings["NAME"], "host": settings["HOST"], "port": settings["PORT"], "user": settings["USER"]}
    secret = b"*"
    known = {each.keyword.decode() for each in pq.Conninfo.get_defaults() if each.dispchar != secret}
    said = {name: value for name, value in (settings["OPTIONS"] | own).items() if name in known}
    return make_conninfo(**{name: value for name, value in said.items() if value not in ("", None)})
