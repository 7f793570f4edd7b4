"""The gallery on a run's page."""

import re
from types import SimpleNamespace

import pytest
from django.test import Client

from detection.models import Detection
from tests import factories_detection as made
from tests.deeplesion_site.pages import text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("data_folder")]


def test_pictures_draw_boxes_in_the_paper_s_words_and_open_the_lesion(
    client: Client, dataset: SimpleNamespace
) -> None:
    run = dataset.evaluation.run
    page = text(client, f"/runs/{run.pk}/")
    assert f'<a href="/lesions/{dataset.published.pk}/?release=first-1.0"' in page
    assert f'href="/slices/{dataset.published.slice_id}.png?low=-1500&amp;high=500&amp;size=512"' in page
    assert "lung, 16 mm: found at 0.90; 1 false positive" in page
    assert "lung, 16 mm: missed; 1 false positive" in page
    assert '<rect class="truth" x="233.0" y="238.0" width="35.0" height="25.0"' in page
    kinds = re.findall(r'<rect class="(\w+)"', page)
    assert sorted(kinds) == ["correct", "false", "false", "missed", "truth", "truth"]
    missed = text(client, f"/runs/{run.pk}/?pictures=missed")
    assert re.findall(r'class="tile-name">([^<]+)', missed) == ["000002_01_01_020.png"]


def test_a_picture_of_what_one_may_not_see_is_boxes_alone(client: Client, dataset: SimpleNamespace) -> None:
    made.make_target(dataset.evaluation, file_name="000003_01_01_020.png", patient=3)
    page = text(client, f"/runs/{dataset.evaluation.run_id}/")
    assert "000003_01_01_020.png" in page
    hidden = dataset.unpublished
    assert f"/slices/{hidden.slice_id}.png" not in page
    assert f"/lesions/{hidden.pk}/" not in page


def test_scores_of_a_picture_stand_apart_within_what_is_shown(client: Client, dataset: SimpleNamespace) -> None:
    name = dataset.published.slice.file_name
    for shift in (0, 3):
        Detection.objects.create(
            evaluation=dataset.evaluation, file_name=name, outcome=Detection.Outcome.FALSE_POSITIVE, overlap=0.0,
            score=0.65 - shift / 100, x1=425.0, y1=100.0 + shift, x2=450.0, y2=130.0 + shift,
        )  # fmt: skip
    page = text(client, f"/runs/{dataset.evaluation.run_id}/")
    labels = re.findall(r'<text class="false" x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)"[^>]*>0.(?:650|620)<', page)
    assert [anchor for _, _, anchor in labels] == ["end", "end"], "the air right of the body is cut off"
    (_, first, _), (_, second, _) = labels
    assert float(second) - float(first) >= 512 / 26
