"""`make bench [ONLY=png]`: run the benchmarks and print one table."""

import argparse
import importlib
import os
import sys

import django

MODULES = (
    "png",
    "import_rows",
    "phantom",
    "harvest",
    "noise",
    "bodypart",
    "map_points",
    "froc",
    "operators",
    "loader",
    "inference",
    "jobs",
    "cancel",
    "demo",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("only", nargs="*", choices=MODULES, help="benchmarks to run; all if none is named")
    chosen = parser.parse_args().only or MODULES
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deeplesion_site.settings")
    django.setup()
    kept = True
    print(f"{'benchmark':<44} {'figure':>10}  {'promise':<16} what")
    for module in chosen:
        for result in importlib.import_module(f"benchmarks.{module}").run():
            kept &= result.kept
            mark = "" if result.kept else "  NOT KEPT"
            print(f"{result.name:<44} {result.value:>10.3g}  {result.promise:<16} {result.what}{mark}", flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
