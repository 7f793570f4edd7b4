"""The benchmark of the import goes its whole way on a few rows."""

from benchmarks import import_rows


def test_the_same_rows_go_in_by_the_import_and_bare(tmp_path):
    measured = import_rows.measure(tmp_path / "data", 40)
    assert measured.keys() == {"seconds", "megabytes", "bare"}
    assert all(value > 0 for value in measured.values())
