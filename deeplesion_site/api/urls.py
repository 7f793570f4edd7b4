"""Addresses below /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from deeplesion_site.api import job_views, review_views, root, run_views, views

router = SimpleRouter()
router.register("collections", views.CollectionViewSet, basename="api-collection")
router.register("patients", views.PatientViewSet, basename="api-patient")
router.register("studies", views.StudyViewSet, basename="api-study")
router.register("series", views.SeriesViewSet, basename="api-series")
router.register("lesions", views.LesionViewSet, basename="api-lesion")
router.register("releases", views.ReleaseViewSet, basename="api-release")
router.register("runs", run_views.RunViewSet, basename="api-run")
router.register("jobs", job_views.JobViewSet, basename="api-job")
router.register("reviews", review_views.ReviewViewSet, basename="api-review")
router.register("proposals", review_views.ProposalViewSet, basename="api-proposal")
router.register("evaluations", run_views.EvaluationViewSet, basename="api-evaluation")

urlpatterns = [
    path("", root.Root.as_view(), name="api-root"),
    path("schema/", root.Schema.as_view(), name="api-schema"),
    *router.urls,
]
