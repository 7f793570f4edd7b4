"""The benchmark of the import goes its whole way on a few rows."""

from benchmarks import import_rows


def test_the_same_rows_go_in_by_the_import_and_bare(tmp_path):
    measured = import_rows.measure(tmp_path / "data", 40)
    assert measured.keys() == {"seconds", "megabytes", "bare"}
    assert all(value > 0 for value in measured.values())


def test_the_import_s_memory_is_its_own_alone(tmp_path):
    """What the process that starts it holds counted as the import's."""
    held = bytearray(b"\1" * (400 << 20))
    assert 0 < import_rows.measure(tmp_path / "data", 40)["megabytes"] < len(held) >> 20
