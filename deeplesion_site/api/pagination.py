"""Pages of the API: by key, in an order that never ties, so that nothing is skipped or seen twice."""

from typing import Any

from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from datasets.selectors.paging import BadCursor, Page, page
from deeplesion_site.api.problems import BadParameter

SIZE = 100
LARGEST = 1000


class KeysetPagination(BasePagination):
    """`{next, previous, results}`; `cursor` is opaque, `page_size` goes up to 1000."""

    page: Page[Any]

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.url = request.build_absolute_uri()
        try:
            self.page = page(
                queryset,
                order=view.order(),
                size=_size(request.query_params.get("page_size", "")),
                cursor=request.query_params.get("cursor", ""),
            )
        except BadCursor as error:
            raise BadParameter({"cursor": [str(error)]}) from error
        return self.page.items

    def get_paginated_response(self, data: Any) -> Response:
        links = {
            name: cursor and replace_query_param(self.url, "cursor", cursor)
            for name, cursor in (("next", self.page.next), ("previous", self.page.previous))
        }
        if self.page.previous and self.page.start == 1:
            links["previous"] = remove_query_param(self.url, "cursor")
        return Response({**links, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        size = {"type": "integer", "minimum": 1, "maximum": LARGEST, "default": SIZE}
        cursor = "Where the page begins; take it from `next` or `previous`."
        return [
            {"name": "cursor", "in": "query", "schema": {"type": "string"}, "description": cursor},
            {"name": "page_size", "in": "query", "schema": size, "description": "Rows per page."},
        ]


def _size(text: str) -> int:
    if not text:
        return SIZE
    if not text.isdecimal() or len(text) > 6 or not 1 <= int(text) <= LARGEST:
        raise BadParameter({"page_size": [f"{text[:20]!r} is not a whole number from 1 to {LARGEST}."]})
    return int(text)
