"""What the pages say, in the usual case and where there is nothing to say."""

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.test import Client
from django.utils import timezone

from datasets.models import Collection, Lesion, Release, Split
from datasets.selectors import statistics
from deeplesion_site.dashboard import charts, statistics_charts
from tests import factories

PAGES = ("/", "/lesions/", "/statistics/", "/bodypart/", "/releases/", "/about/", "/api/docs/", "/login/")


def text(client: Client, address: str, code: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == code
    return answer.content.decode()


@pytest.mark.parametrize("address", PAGES)
def test_an_empty_installation_has_pages_that_say_so(client: Client, db: None, address: str) -> None:
    page = text(client, address)
    if address in ("/", "/lesions/", "/releases/"):
        assert "Nothing is published yet" in page
    if address == "/statistics/":
        assert "No lesions here" in page
        assert "No bookmarks to count" in page


@pytest.mark.parametrize("address", [*PAGES, "/lesions/{}/", "/releases/first-1.0/", "/nowhere/"])
def test_no_page_has_an_inline_script_or_handler(client: Client, dataset: SimpleNamespace, address: str) -> None:
    page = client.get(address.format(dataset.published.pk)).content.decode()
    for attributes, content in re.findall(r"<script\b([^>]*)>(.*?)</script>", page, re.DOTALL):
        assert "src=" in attributes or 'type="application/json"' in attributes
        assert 'type="application/json"' in attributes or not content.strip()
    assert not re.search(r"<[^>]+\son\w+=", page)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


@pytest.mark.parametrize("address", [*PAGES, "/lesions/{}/", "/releases/first-1.0/"])
def test_pages_have_one_heading_a_skip_link_and_captions(
    client: Client, dataset: SimpleNamespace, address: str
) -> None:
    page = text(client, address.format(dataset.published.pk))
    assert page.count("<h1") == 1
    assert '<a class="skip" href="#main">' in page
    assert page.count("<table") == page.count("<caption")
    identifiers = re.findall(r'\sid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))


def test_every_answer_carries_the_security_policy(client: Client, dataset: SimpleNamespace) -> None:
    policy = client.get("/")["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src" not in policy or "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


def test_the_overview_counts_what_is_published(
    client: Client, client_of: Callable[[str], Client], dataset: SimpleNamespace
) -> None:
    assert client.get("/").context["headline"].lesions == 1
    assert client_of("curator").get("/").context["headline"].lesions == 3
    assert client_of("curator").get("/?data=release:next-0.1").context["headline"].lesions == 1
    assert client.get("/?data=collection:hospital").context["headline"].patients == 1
    assert client.get("/?data=nonsense").status_code == 404


def test_the_map_sends_places_as_columns(client: Client, dataset: SimpleNamespace) -> None:
    answer = client.get("/map.bin")
    assert answer["Content-Type"] == "application/octet-stream"
    count, *_ = struct.unpack_from("<II", answer.content)
    assert count == 1
    pk, x, z, kind = struct.unpack_from("<dffb", answer.content, 8)
    assert (pk, round(x, 6), z, kind) == (dataset.published.pk, 0.4, 0.5, 5)
    assert len(answer.content) == 8 + 17


def test_the_map_is_sent_again_only_where_it_differs(
    client: Client, client_of: Callable[[str], Client], dataset: SimpleNamespace
) -> None:
    answer = client.get("/map.bin")
    assert answer["Cache-Control"] == "private, no-cache"
    known = {"If-None-Match": answer["ETag"]}
    again = client.get("/map.bin", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert client_of("curator").get("/map.bin", headers=known).status_code == 200, "who sees more gets more"
    other = factories.make_lesion(x=0.5, y=0.5, z=0.5)
    factories.make_release([other], name="other-1.0")
    assert client.get("/map.bin", headers=known).status_code == 200


def test_the_map_says_how_many_have_no_place(client: Client, db: None) -> None:
    lesions = [factories.make_lesion(x=0.5, y=0.5, z=0.5), factories.make_lesion()]
    collection = lesions[0].slice.series.study.patient.collection
    lesions[1].slice.series.study.patient.__class__.objects.update(collection=collection)
    factories.make_release(Lesion.objects.all(), collection=collection)
    assert "1 of 2 has no location and is not drawn" in text(client, "/")


def test_an_imported_dataset_says_why_it_has_no_bookmarks(client: Client, db: None) -> None:
    collection = factories.make_collection(kind=Collection.Kind.PUBLISHED)
    patient = factories.make_patient(collection=collection)
    place = factories.make_slice(series=factories.make_series(study=factories.make_study(patient=patient)))
    factories.make_release([factories.make_lesion(slice=place)], name="imported")
    assert "not the bookmarks that they came from" in text(client, "/statistics/?data=release:imported")


def test_collections_that_are_counted_together_are_told_apart(client: Client, dataset: SimpleNamespace) -> None:
    """In the scope of everything alone; patients of the same number are two."""
    assert "counted together" not in text(client, "/statistics/") + text(client, "/")
    factories.make_annotation(collection=dataset.collection, year=2014)
    public = factories.make_collection(slug="deeplesion", title="DeepLesion", kind=Collection.Kind.PUBLISHED)
    patient = factories.make_patient(collection=public, number=1)
    place = factories.make_slice(series=factories.make_series(study=factories.make_study(patient=patient)))
    lesions = [factories.make_lesion(slice=place) for _ in range(2)]
    factories.make_release(lesions, name="public-1.0", collection=public)
    page = text(client, "/statistics/")
    assert "2 collections are counted together" in page
    found = client.get("/statistics/").context["parts"]
    assert [(part.collection.title, part.lesions, part.studies, part.patients, part.marks) for part in found] == [
        ("DeepLesion", 2, 1, 1, 0),
        ("Hospital", 1, 1, 1, 1),
    ]
    assert "DeepLesion brought finished lesions, not the bookmarks that they came from: its lesions" in page
    assert "DeepLesion 2 lesions of 1 patient; Hospital 1 lesion of 1 patient." in re.sub(
        "<[^>]*>", "", text(client, "/")
    )
    for scope in ("collection:hospital", "release:public-1.0"):
        assert "counted together" not in text(client, f"/statistics/?data={scope}") + text(client, f"/?data={scope}")


def test_each_figure_comes_with_its_numbers_as_a_table(client: Client, dataset: SimpleNamespace) -> None:
    factories.make_annotation(collection=dataset.collection, year=2014, reason="non_axial")
    page = text(client, "/statistics/")
    figures = re.findall(r'data-figure="([^"]+)"', page)
    assert {"figure-years", "figure-modalities", "figure-tools", "figure-reasons", "figure-boxes"} <= set(figures)
    assert page.count("<details") == len(figures)
    for name in figures:
        found = re.search(rf'<script id="{name}" type="application/json">(.*?)</script>', page)
        assert found
        assert json.loads(found[1])["data"]
    assert "not on an axial slice" in page


def test_the_figures_of_bookmarks_say_shares_and_every_year(client: Client, dataset: SimpleNamespace) -> None:
    for year, modality, tool in ((2012, "CT", "bidimensional"), (2015, "CT", "line"), (2015, "MR", "bidimensional")):
        reason = "" if (modality, tool) == ("CT", "bidimensional") else "not_recist"
        factories.make_annotation(
            collection=dataset.collection, year=year, modality=modality, tool=tool, reason=reason
        )
    charts = {chart.id: chart for chart in client.get("/statistics/").context["annotation_charts"]}
    assert charts["years"].rows == [("2012", 1), ("2013", 0), ("2014", 0), ("2015", 2)]
    assert charts["modalities"].rows == [("CT", 2, "67 %"), ("MR", 1, "33 %")]
    assert "MR magnetic resonance" in charts["modalities"].caption
    assert charts["tools"].head == ("tool", "became a lesion", "did not", "share")
    assert [row[1:] for row in charts["tools"].rows] == [(1, 0, "50 %"), (0, 1, "50 %")]


def test_box_sizes_say_what_they_cut_off(client: Client, dataset: SimpleNamespace) -> None:
    chart = charts_of(client)["boxes"]
    assert chart.figure["layout"]["xaxis"]["range"] == chart.figure["layout"]["yaxis"]["range"] == [0, 29]
    assert "Median 28.0 mm wide, 20.0 mm high." in chart.caption
    assert "Cut off" not in chart.caption
    found = statistics.BoxSizes(4, [[1] * 30] * 30, 2, (20.0, 21.0), (298.9, 162.8))
    assert (
        "Cut off at 120 mm: 2 larger boxes are not drawn (up to 299 mm wide, 163 mm high)."
        in statistics_charts.box_sizes(found).caption
    )


def test_a_few_lesions_are_counted_in_whole_numbers() -> None:
    few, many = (
        charts.stacked("k", "t", "c", ["a", "b"], {"x": ([1, n], "red"), "y": ([2, n], "blue")}, names="n", values="v")
        for n in (1, 9)
    )
    assert few.figure["layout"]["yaxis"]["dtick"] == 1
    assert "dtick" not in many.figure["layout"]["yaxis"]
    assert charts.bars("k", "t", "c", [], names="n", values="v").figure["layout"]["yaxis"]["dtick"] == 1


def charts_of(client: Client) -> dict[str, charts.Chart]:
    return {chart.id: chart for chart in client.get("/statistics/").context["lesion_charts"]}


def test_a_release_without_images_says_so_at_its_download(client: Client, db: None, tmp_path: Path) -> None:
    for name, slices, compared in (
        ("none", 0, {}),
        ("part", 1, {"slices": 1, "slices_unhashed": 0, "key_slices_without": 2}),
        ("all", 1, {"slices": 1, "slices_unhashed": 0, "key_slices_without": 0}),
    ):
        collection = factories.make_collection(slug=name, image_folder=str(tmp_path / name))
        series = factories.make_series(
            study=factories.make_study(patient=factories.make_patient(collection=collection))
        )
        lesion = factories.make_lesion(slice=factories.make_slice(series=series))
        release = factories.make_release([lesion], name=name, published=False)
        Release.objects.filter(pk=release.pk).update(
            counts={"train": {"slices": slices}},
            compared=compared,
            state=Release.State.PUBLISHED,
            published=timezone.now(),
        )
    assert "the images cannot be read now" in text(client, "/releases/all/")
    for name in ("none", "part", "all"):
        (tmp_path / name).mkdir()
    assert "the table alone: the images were not there" in text(client, "/releases/none/")
    assert "the images of 2 key slices are missing" in text(client, "/releases/part/")
    page = text(client, "/releases/all/")
    assert "table and images" in page
    assert 'class="lack"' not in page


def test_a_release_says_which_types_a_split_lacks(client: Client, db: None) -> None:
    collection = factories.make_collection()
    lesions = []
    for number, kind in enumerate((1, 4, 5, 4, 5, 5), start=1):
        patient = factories.make_patient(collection=collection, number=number)
        place = factories.make_slice(series=factories.make_series(study=factories.make_study(patient=patient)))
        lesions.append(factories.make_lesion(slice=place, type=kind))
    release = factories.make_release(lesions, name="lacking", published=False)
    for number, split in ((4, Split.VAL), (5, Split.VAL), (6, Split.TEST)):
        release.members.filter(member__patient__number=number).first().member.__class__.objects.filter(
            release=release, patient__number=number
        ).update(split=split)
    Release.objects.filter(pk=release.pk).update(state=Release.State.PUBLISHED, published=timezone.now())
    page = " ".join(text(client, "/releases/lacking/").split())
    assert "No lesion of type bone in val. No lesion of type bone or liver in test." in page
    factories.make_release([factories.make_lesion()], name="one-type")
    assert "No lesion of type" not in text(client, "/releases/one-type/")


def test_names_that_look_like_markup_are_shown_as_they_are(client: Client, db: None) -> None:
    collection = factories.make_collection(title='<script>alert("x")</script>' + "x" * 150)
    patient = factories.make_patient(collection=collection)
    place = factories.make_slice(series=factories.make_series(study=factories.make_study(patient=patient)))
    factories.make_release([factories.make_lesion(slice=place)], name="odd")
    for address in ("/", "/releases/", "/releases/odd/", "/statistics/"):
        assert '<script>alert("x")' not in text(client, address)


def test_errors_have_pages(
    client: Client, client_of: Callable[[str], Client], settings: SimpleNamespace, db: None
) -> None:
    assert "Nothing here" in text(client, "/nowhere/", 404)
    settings.PUBLIC_READ = False
    assert "has no role" in client_of("nobody").get("/").content.decode()


def test_a_failure_has_a_page_without_a_traceback(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("deeplesion_site.dashboard.release_pages.totals", fail)
    factories.make_release([factories.make_lesion()], name="broken")
    client.raise_request_exception = False
    answer = client.get("/releases/")
    assert answer.status_code == 500
    assert b"Something went wrong" in answer.content
    assert b"secret detail" not in answer.content


def test_signing_in_and_out(client: Client, db: None) -> None:
    factories.make_user("curator", username="carla", password="long-enough-1")
    wrong = client.post("/login/", {"username": "carla", "password": "no"})
    assert b"do not match an account" in wrong.content
    right = client.post("/login/", {"username": "carla", "password": "long-enough-1", "next": "/lesions/"})
    assert right.url == "/lesions/"
    assert "carla" in text(client, "/")
    assert client.post("/logout/").status_code == 302
    assert "Sign in" in text(client, "/")


def test_jobs_ask_again_only_while_one_is_unfinished(client_of: Callable[[str], Client]) -> None:
    client = client_of("admin")
    assert "No jobs yet" in text(client, "/jobs/")
    done = factories.make_job(
        kind="manifest",
        state="succeeded",
        result={"counts": {"lesions": 812}, "reasons": {"not_recist": 300}, "problems": ["IM3 is odd"]},
    )
    assert "every 2s" not in text(client, "/jobs/")
    page = text(client, f"/jobs/{done.pk}/")
    assert "812" in page
    assert "not recist" in page
    assert "IM3 is odd" in page
    running = factories.make_job(state="running", done=1, total=2)
    assert "every 2s" in text(client, "/jobs/")
    assert "every 2s" in text(client, f"/jobs/{running.pk}/")
    part = client.get(f"/jobs/{running.pk}/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "50 %" in part


@pytest.mark.parametrize("page", ["/", "/statistics/"])
def test_the_names_of_the_list_s_filters_choose_the_part_here_too(
    dataset: SimpleNamespace, client: Client, page: str
) -> None:
    assert client.get(page, {"release": "first-1.0"}).context["scope"].release.name == "first-1.0"
    assert client.get(page, {"release": "nope"}).status_code == 404
