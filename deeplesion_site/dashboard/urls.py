"""Addresses of the pages."""

from django.urls import path

from deeplesion_site.dashboard import (
    about,
    downloads,
    jobs,
    lesion_list,
    lesion_page,
    overview,
    release_pages,
    slices,
    statistics_page,
)

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("locating/", overview.locating, name="locating"),
    path("map.json", overview.map_json, name="map"),
    path("lesions/", lesion_list.lesion_list, name="lesions"),
    path("lesions/<int:pk>/", lesion_page.lesion_page, name="lesion"),
    path("lesions/<int:pk>/card/", overview.lesion_card, name="lesion-card"),
    path("lesions/<int:pk>/review/", lesion_page.review, name="review"),
    path("slices/<int:pk>.png", slices.slice_png, name="slice-png"),
    path("statistics/", statistics_page.statistics_page, name="statistics"),
    path("releases/", release_pages.release_list, name="releases"),
    path("releases/<str:name>/", release_pages.release_page, name="release"),
    path("releases/<str:name>/progress/", release_pages.release_progress, name="release-progress"),
    path("releases/<str:name>/DL_info.csv", downloads.table, name="release-table"),
    path("releases/<str:name>/manifest.json", downloads.manifest_json, name="release-manifest"),
    path("releases/<str:name>/archive.zip", downloads.archive, name="release-archive"),
    path("jobs/", jobs.job_list, name="jobs"),
    path("jobs/<int:pk>/", jobs.job_page, name="job"),
    path("about/", about.about, name="about"),
    path("api/docs/", about.api_docs, name="api-docs"),
]
