"""The API is for those who may read published releases; what they see is up to `access.visibility`."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from deeplesion_site.access import Right, may


class ReadPublished(BasePermission):
    message = "Sign in with an account that may read published releases."

    def has_permission(self, request: Request, view: Any) -> bool:
        return may(request.user, Right.READ_PUBLISHED)
