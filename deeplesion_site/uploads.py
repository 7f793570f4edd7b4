"""Nothing is uploaded to the site: data come from a PACS, or from a folder that an administrator names in a shell.

Left to itself, Django writes every file of a form to the disk before any view is asked.
"""

from typing import NoReturn

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import FileUploadHandler


class NothingIsUploaded(SuspiciousOperation):
    """A form came with a file."""


class NoUploads(FileUploadHandler):
    """Refuses a file before its first byte is kept."""

    def new_file(self, *args: object, **kwargs: object) -> NoReturn:
        raise NothingIsUploaded("Files cannot be uploaded here.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Never reached."""

    def file_complete(self, file_size: int) -> None:
        """Never reached."""
