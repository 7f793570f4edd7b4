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
        _run(
            "pg_restore",
            "--exit-on-error",
            "--no-owner",
            "--no-privileges",
            "--single-transaction",
            "--dbname=",
            dump,
        )


def _path() -> Path:
    return Path(connection.settings_dict["NAME"])


def _run(program: str, *arguments: str | Path) -> None:
    """Run one of PostgreSQL's programs; the password goes by the environment, where no other user sees it."""
    if shutil.which(program) is None:
        raise Refused(f"{program} is not installed: it comes with the package postgresql-client")
    settings = connection.settings_dict
    named = [f"--dbname={settings['NAME']}" if each == "--dbname=" else str(each) for each in arguments]
    if program == "pg_dump":
        named.append(str(settings["NAME"]))
    options = [
        f"--{option}={settings[key]}"
        for option, key in (("host", "HOST"), ("port", "PORT"), ("username", "USER"))
        if settings[key]
    ]
    environment = {
        **os.environ,
        "PGPASSWORD": str(settings["PASSWORD"] or ""),
        "PGCONNECT_TIMEOUT": str(settings["OPTIONS"]["connect_timeout"]),
    }
    ended = subprocess.run(
        [program, "--no-password", *options, *named], env=environment, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise Refused(
            f"{program} failed: {ended.stderr.strip().splitlines()[-1] if ended.stderr.strip() else 'no reason'}"
        )
