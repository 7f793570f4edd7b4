"""Progress bars: what counts anew gets a bar of its own, and waiting is no end."""

from tqdm import tqdm

from datasets.management import progress as bars


def test_a_second_count_is_shown_after_one_that_came_to_its_end(capsys, monkeypatch):
    monkeypatch.setattr(bars, "tqdm", lambda **values: tqdm(**{**values, "delay": 0}))
    with bars.bar("Images", "slices", always=True) as progress:
        for done, total in ((0, 0), (1, 15), (15, 15), (1, 14), (14, 14)):
            progress(done, total)
    shown = capsys.readouterr().err
    assert "15/15" in shown
    assert "14/14" in shown
