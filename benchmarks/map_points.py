"""The map at DeepLesion's size: its endpoint against bare SQL and encoding, and frame times in a real Chromium.

Chromium here draws without a graphics card, so its frame times are an upper bound of those in a reader's browser.
"""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from statistics import median
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import numpy as np

from benchmarks.import_rows import REPOSITORY, ROWS, write_rows
from benchmarks.result import Result

REPEATS = 7
FRAMES = 60
POINT = np.dtype([("id", "<f8"), ("x", "<f4"), ("z", "<f4"), ("type", "i1")])

ZOOMING = """async (frames) => {
  const canvas = document.querySelector("[data-map] canvas");
  const box = canvas.getBoundingClientRect();
  const place = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 };
  const shown = [];
  const busy = [];
  for (let frame = 0; frame <= frames; frame += 1) {
    // The map asks for its frame between these two, so they enclose what it does in it.
    let begin;
    requestAnimationFrame(() => { begin = performance.now(); });
    const deltaY = frame < frames / 2 ? -24 : 24;
    canvas.dispatchEvent(new WheelEvent("wheel", { ...place, deltaY, ctrlKey: true, cancelable: true }));
    shown.push(await new Promise(requestAnimationFrame));
    busy.push(performance.now() - begin);
  }
  return { shown: shown.slice(1).map((time, index) => time - shown[index]), busy };
}"""
NO_WEBGL = """const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind === "webgl2" ? null : get.call(this, kind, ...rest);
};"""


def run() -> Iterator[Result]:
    """Yield name, ratio or figure, what it means, and its bound."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "deeplesion_site.settings"}
        environment.pop("DATABASE_URL", None)
        command = [sys.executable, "-m", "benchmarks.map_points"]
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
    explanation = f"{ROWS} lesions: endpoint {found['endpoint']:.3f} s, bare SQL and encoding {found['bare']:.3f} s"
    yield Result("map endpoint / bare SQL", found["endpoint"] / found["bare"], explanation, at_most=3.0)
    yield Result("map, bytes over the wire", found["bytes"] / 1e6, f"MB for {ROWS} lesions", at_most=1.0)
    for name, bound in (("webgl", 4.0), ("canvas", None)):
        if frames := found["frames"].get(name):
            shown = f"a new frame every {median(frames['shown']):.0f} ms (median), drawn without a graphics card"
            yield Result(
                f"map, zooming by {name}", median(frames["busy"]), f"ms of script per frame; {shown}", at_most=bound
            )


def _measure() -> None:
    """What the process does that is measured: a database of DeepLesion's size, its map, and a browser on it."""
    import django

    django.setup()
    from django.conf import settings
    from django.core.cache import cache
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0, skip_checks=True)
    csv = settings.DATA_DIR / "DL_info.csv"
    write_rows(csv, ROWS)
    call_command("import_deeplesion", csv, release="deeplesion", skip_checks=True, stdout=sys.stderr)
    client = Client(headers={"host": "localhost"})
    endpoint = []
    for _ in range(REPEATS):
        cache.clear()
        start = time.process_time()
        answer = client.get("/map.bin")
        endpoint.append(time.process_time() - start)
    bare = [_bare(settings.DATA_DIR / "db.sqlite3") for _ in range(REPEATS)]
    content = {"endpoint": min(endpoint), "bare": min(bare), "bytes": len(answer.content), "frames": _frames()}
    print(json.dumps(content))


def _bare(database: Path) -> float:
    connection = sqlite3.connect(database)
    start = time.process_time()
    select = "SELECT id, x, z, type FROM datasets_lesion WHERE x IS NOT NULL AND z IS NOT NULL ORDER BY id"
    points = np.array(connection.execute(select).fetchall(), dtype=POINT)
    content = b"".join(points[name].tobytes() for name in POINT.names or ())
    seconds = time.process_time() - start
    connection.close()
    if len(content) != ROWS * POINT.itemsize:
        raise SystemExit(f"{len(points)} of {ROWS} lesions have a place")
    return seconds


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing: standard output carries the result."""


def _frames() -> dict[str, dict[str, list[float]]]:
    """Milliseconds between frames and in script while the map is zoomed in and out, by what draws.

    Empty without Chromium.
    """
    from deeplesion_site.wsgi import application
    from tests.peers.chromium import private_chromium
    from tests.peers.packages import NotInstalled

    found = {}
    server = make_server("127.0.0.1", 0, application, server_class=_Server, handler_class=_Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with private_chromium() as browser:
            for name in ("webgl", "canvas"):
                with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
                    page = context.new_page()
                    if name == "canvas":
                        page.add_init_script(NO_WEBGL)
                    page.goto(f"http://127.0.0.1:{server.server_port}/")
                    page.wait_for_selector(f"[data-map][data-drawn='{ROWS}'][data-drawn-by='{name}']")
                    page.wait_for_load_state("networkidle")
                    found[name] = page.evaluate(ZOOMING, FRAMES)
    except NotInstalled:
        pass
    finally:
        server.shutdown()
    return found


if __name__ == "__main__":
    _measure()
