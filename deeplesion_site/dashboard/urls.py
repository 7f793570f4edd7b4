"""Addresses of the pages."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from deeplesion_site.dashboard import (
    about,
    account_page,
    agreement_page,
    audit_page,
    bodypart_page,
    downloads,
    harvest_report,
    health_page,
    job_actions,
    job_new,
    jobs,
    lesion_csv,
    lesion_list,
    lesion_page,
    overview,
    people_page,
    release_pages,
    review_card,
    review_queue,
    run_downloads,
    run_pages,
    schedule_page,
    slices,
    statistics_page,
)


class ReleaseName(StringConverter):
    """What a release may be called; anything else is no page."""

    regex = "[a-z0-9][a-z0-9._-]*"


class ReportFormat(StringConverter):
    """In which form a report is downloaded."""

    regex = "json|csv"


class ReviewKind(StringConverter):
    """What the queue holds."""

    regex = "flagged|pairs"


register_converter(ReleaseName, "release")
register_converter(ReviewKind, "kind")
register_converter(ReportFormat, "form")

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("locating/", overview.locating, name="locating"),
    path("bodypart/", bodypart_page.bodypart, name="bodypart"),
    path("bodypart/<slug:version>/", bodypart_page.bodypart, name="bodypart-model"),
    path("map.bin", overview.map_columns, name="map"),
    path("lesions/", lesion_list.lesion_list, name="lesions"),
    path("lesions.csv", lesion_csv.lesions, name="lesions-csv"),
    path("lesions/<int:pk>/", lesion_page.lesion_page, name="lesion"),
    path("lesions/<int:pk>/card/", overview.lesion_card, name="lesion-card"),
    path("lesions/<int:pk>/review/", lesion_page.review, name="review"),
    path("review/", review_queue.queue, name="review-queue"),
    path("review/next/", review_queue.first, name="review-first"),
    path("review/<kind:kind>/<int:pk>/", review_card.card, name="review-card"),
    path("review/<kind:kind>/<int:pk>/verdict/", review_card.verdict, name="review-verdict"),
    path("review/undo/<int:pk>/", review_card.undo, name="review-undo"),
    path("slices/<int:pk>.png", slices.slice_png, name="slice-png"),
    path("statistics/", statistics_page.statistics_page, name="statistics"),
    path("releases/", release_pages.release_list, name="releases"),
    path("releases/<release:name>/", release_pages.release_page, name="release"),
    path("releases/<release:name>/progress/", release_pages.release_progress, name="release-progress"),
    path("releases/<release:name>/DL_info.csv", downloads.table, name="release-table"),
    path("releases/<release:name>/manifest.json", downloads.manifest_json, name="release-manifest"),
    path("releases/<release:name>/archive.zip", downloads.archive, name="release-archive"),
    path("runs/", run_pages.run_list, name="runs"),
    path("detecting/", run_pages.detecting, name="detecting"),
    path("runs/compare/", run_pages.compare, name="run-compare"),
    path("runs/<int:pk>/", run_pages.run_page, name="run"),
    path("runs/<int:pk>/progress/", run_pages.run_progress, name="run-progress"),
    path("runs/<int:pk>/metrics.jsonl", run_downloads.metrics, name="run-metrics"),
    path("runs/<int:pk>/<int:evaluation>/detections.csv", run_downloads.detections, name="run-detections"),
    path("runs/<int:pk>/<int:evaluation>/report.json", run_downloads.report, name="run-report"),
    path("releases/<release:name>/agreement/", agreement_page.agreement_page, name="agreement"),
    path("account/", account_page.account_page, name="account"),
    path("account/password/", account_page.change_password, name="change-password"),
    path("account/tokens/", account_page.issue_token, name="issue-token"),
    path("account/tokens/<int:pk>/revoke/", account_page.revoke_token, name="revoke-token"),
    path("people/", people_page.people_page, name="people"),
    path("people/<int:pk>/", people_page.change_person, name="change-person"),
    path("people/tokens/<int:pk>/revoke/", people_page.revoke_any_token, name="revoke-any-token"),
    path("people/<int:pk>/password/", people_page.replace_password, name="replace-password"),
    path("audit/", audit_page.audit_page, name="audit"),
    path("audit.csv", audit_page.audit_csv, name="audit-csv"),
    path("health/", health_page.health_page, name="health"),
    path("jobs/", jobs.job_list, name="jobs"),
    path("jobs/<int:pk>/", jobs.job_page, name="job"),
    path("jobs/schedules/", schedule_page.schedule_page, name="schedules"),
    path("jobs/schedules/<int:pk>/", schedule_page.switch, name="schedule-switch"),
    path("jobs/new/", job_new.choose, name="job-new"),
    path("jobs/new/<slug:kind>/", job_new.new, name="job-form"),
    path("jobs/<int:pk>/for-real/", job_actions.for_real, name="job-for-real"),
    path("jobs/<int:pk>/cancel/", job_actions.cancel, name="job-cancel"),
    path("jobs/<int:pk>/retry/", job_actions.retry, name="job-retry"),
    path("jobs/<int:pk>/report/", harvest_report.of_job, name="job-report"),
    path("jobs/<int:pk>/report.<form:form>", harvest_report.of_job, name="job-report"),
    path("collections/<slug:slug>/report/", harvest_report.of_collection, name="collection-report"),
    path("collections/<slug:slug>/report.<form:form>", harvest_report.of_collection, name="collection-report"),
    path("about/", about.about, name="about"),
    path("api/docs/", about.api_docs, name="api-docs"),
]
