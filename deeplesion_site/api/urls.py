"""Addresses below /api/v1/."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny
from rest_framework.routers import SimpleRouter

from deeplesion_site.api import views

router = SimpleRouter()
router.register("collections", views.CollectionViewSet, basename="api-collection")
router.register("patients", views.PatientViewSet, basename="api-patient")
router.register("studies", views.StudyViewSet, basename="api-study")
router.register("series", views.SeriesViewSet, basename="api-series")
router.register("lesions", views.LesionViewSet, basename="api-lesion")
router.register("releases", views.ReleaseViewSet, basename="api-release")

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(permission_classes=[AllowAny]), name="api-schema"),
    *router.urls,
]
