"""The command line's manners."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from datasets.phantom import pool
from datasets.phantom.__main__ import main
from tests.peers.disk import small_disk


@pytest.mark.parametrize("command", ["hospital", "release"])
def test_full_folder_is_refused_in_one_sentence(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    assert main([command, str(tmp_path), "--patients", "1"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "is not an empty folder" in error
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_unwritable_place_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["release", str(tmp_path / "file" / "out"), "--patients", "1"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "cannot be written" in error


@pytest.mark.parametrize("arguments", [["--patients", "0"], ["--size", "9"], ["--seed", "x"]])
def test_bad_numbers_are_refused(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["hospital", str(tmp_path / "out"), *arguments])
    assert stopped.value.code == 2
    assert "is not a whole number" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("command", "processes"), [("hospital", 1), ("hospital", 2), ("release", 1)])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    command: str, processes: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--patients", "2", "--size", "64", "--processes", str(processes)]
    with small_disk(tmp_path / "disk", 64) as disk:
        assert main([command, str(disk / "out"), *options]) == 1
        assert capsys.readouterr().err == f"{disk / 'out'} cannot be written: No space left on device.\n"
        assert list(disk.iterdir()) == []


def test_ctrl_c_ends_a_batch_in_the_middle_of_a_patient(tmp_path: Path) -> None:
    """Sent to the whole group, as a terminal does; drawing a patient takes many times longer than this may."""
    command = [sys.executable, "-m", "datasets.phantom", "hospital", str(tmp_path / "out"), "--patients", "8"]
    drawing = subprocess.Popen(
        [*command, "--processes", "2", "--size", "1024"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell that starts tests in the background has SIGINT ignored, and so would this be.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        deadline = time.monotonic() + 120
        while not any(tmp_path.rglob("*.dcm")):
            assert time.monotonic() < deadline, "no slice was drawn"
            time.sleep(0.02)
        begin = time.monotonic()
        os.killpg(drawing.pid, signal.SIGINT)
        _, said = drawing.communicate(timeout=60)
        assert time.monotonic() - begin < 5
    finally:
        with suppress(ProcessLookupError):
            os.killpg(drawing.pid, signal.SIGKILL)
    assert (drawing.returncode, said.strip()) == (130, "Ended; nothing was written.")
    assert list(tmp_path.iterdir()) == []


def test_killed_process_is_named() -> None:
    with pytest.raises(pool.WorkerLost, match="was ended"), pool.each(os._exit, [1], processes=2) as results:
        list(results)


def test_results_of_all_processes_arrive() -> None:
    with pool.each(abs, [-3, 1, -2], processes=2) as results:
        assert sorted(results) == [1, 2, 3]
