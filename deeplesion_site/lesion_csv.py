"""Lesions in bulk, as CSV, for the pages and the API alike: it is in the audit log or it was not handed out."""

from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from datasets.models import Lesion
from datasets.selectors.flat import lesion_rows
from datasets.selectors.visibility import Visibility
from deeplesion_site.accounts import audit
from deeplesion_site.accounts.models import Action
from deeplesion_site.api.renderers import csv_lines

FILE_NAME = "lesions.csv"
LONGEST_QUERY = 500


def answer(user: Any, rows: QuerySet[Lesion], visibility: Visibility, query: str) -> StreamingHttpResponse:
    """Write down that lesions are downloaded, and stream them.

    Parameters
    ----------
    rows : what `agreements.first_unsigned` has nothing against.
    query : the filters as they stand in the address.
    """
    audit.record(user, Action.DOWNLOADED, FILE_NAME, **({"filters": query[:LONGEST_QUERY]} if query else {}))
    response = StreamingHttpResponse(csv_lines(lesion_rows(rows, visibility)), content_type="text/csv")
    response["Content-Disposition"] = f'attachment; filename="{FILE_NAME}"'
    return response
