"""Importing DL_info.csv against a bare `executemany` of the same values."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.memory import peak_megabytes
from benchmarks.result import Result
from datasets import dl_info

ROWS = 32_735
"""As many as the published DeepLesion has."""
REPEATS = 3

REPOSITORY = Path(__file__).resolve().parent.parent
REAL = REPOSITORY.parent / "shared" / "data" / "deeplesion" / "DL_info.csv"
TABLES = ("patient", "study", "series", "slice", "lesion")


def run() -> Iterator[Result]:
    """Yield name, ratio or figure, what it means, and its bound; processor time, which other work disturbs least."""
    with tempfile.TemporaryDirectory() as folder:
        best: dict[str, float] = {}
        for repeat in range(REPEATS):
            measured = measure(Path(folder) / str(repeat), ROWS)
            best = {name: min(value, best.get(name, value)) for name, value in measured.items()}
    explanation = f"{ROWS} rows: import {best['seconds']:.2f} s, bare executemany {best['bare']:.2f} s"
    yield Result("import / executemany", best["seconds"] / best["bare"], explanation, at_most=6.0)
    yield Result("import, peak memory", best["megabytes"], "MB resident while importing", at_most=500.0)


def measure(folder: Path, rows: int) -> dict[str, float]:
    """Import so many rows into a fresh folder, and insert the same: `seconds`, `megabytes`, `bare` (seconds)."""
    measured = _measure_apart(folder, rows)
    return measured | {"bare": _bare(folder)}


def write_rows(path: Path, count: int) -> None:
    """Write so many rows: real ones under new patient numbers, or made ones in their format."""
    if REAL.is_file():
        rows = [row for _, row, _ in dl_info.read(REAL) if row is not None]
    else:
        rows = [_made(number) for number in range(5000)]
    last = max(row.patient for row in rows)
    with path.open("w", encoding="utf-8") as file:
        file.write(f"{dl_info.HEADER}\n")
        for number in range(count):
            again, place = divmod(number, len(rows))
            row = rows[place]
            file.write(f"{dl_info.format_line(replace(row, patient=row.patient + again * last))}\n")


def _made(number: int) -> dl_info.Row:
    x, y, size = 100.0 + number % 300, 120.0 + number % 250, 8.0 + number % 40
    points = (x - size, y, x + size, y, x, y - size / 2, x, y + size / 2)
    box = (x - size - 5, y - size / 2 - 5, x + size + 5, y + size / 2 + 5)
    study, key, sex, split = number // 3 % 3 + 1, 20 + number % 80, "FM"[number // 8 % 2], number // 8 % 3 + 1
    return dl_info.Row(
        number // 8 + 1, study, 1, key, points, box, (2 * size, size), (0.4, 0.5, 0.6), number % 8 + 1, False,
        (key - 6, key + 6), (0.8, 0.8), 5.0, (512, 512), (-175.0, 275.0), sex, 61, split,
    )  # fmt: skip


def _measure_apart(folder: Path, rows: int) -> dict[str, float]:
    """Import in a process of its own, so that its memory is the import's."""
    folder.mkdir()
    environment = {**os.environ, "DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "deeplesion_site.settings"}
    environment.pop("DATABASE_URL", None)
    command = [sys.executable, "-m", "benchmarks.import_rows", str(rows)]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _import(count: int) -> None:
    """What the process does that is measured: one import into a fresh database."""
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from datasets.models import Lesion
    from workers.management.commands import import_deeplesion

    call_command("migrate", verbosity=0, skip_checks=True)
    csv = settings.DATA_DIR / "DL_info.csv"
    write_rows(csv, count)
    start = time.process_time()
    call_command(import_deeplesion.Command(), csv, skip_checks=True)
    seconds = time.process_time() - start
    if Lesion.objects.count() != count:
        raise SystemExit(f"{Lesion.objects.count()} of {count} rows went in")
    print(json.dumps({"seconds": seconds, "megabytes": peak_megabytes()}))


def _bare(folder: Path) -> float:
    """Insert the values of every column of every table with sqlite3 alone, into tables of the same making."""
    source = sqlite3.connect(folder / "db.sqlite3")
    schema = [
        sql for (sql,) in source.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name LIKE 'dat%'")
    ]
    values = {table: source.execute(f"SELECT * FROM datasets_{table}").fetchall() for table in TABLES}
    collection = source.execute("SELECT * FROM datasets_collection").fetchall()
    source.close()
    target = sqlite3.connect(folder / "bare.sqlite3")
    target.create_function("REGEXP", 2, lambda pattern, text: re.search(pattern, text) is not None)
    target.execute("PRAGMA journal_mode = WAL")
    target.execute("PRAGMA synchronous = NORMAL")
    for statement in sorted(schema, key=lambda sql: not sql.startswith("CREATE TABLE")):
        target.execute(statement)
    target.commit()
    start = time.process_time()
    for table, rows in (("collection", collection), *values.items()):
        target.executemany(f"INSERT INTO datasets_{table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    target.commit()
    seconds = time.process_time() - start
    target.close()
    return seconds


if __name__ == "__main__":
    _import(int(sys.argv[1]))
