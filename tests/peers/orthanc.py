"""A private Orthanc: a PACS that speaks DICOMweb and DIMSE."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from datasets.phantom.orthanc import Orthanc, served
from tests.peers.packages import installed
from tests.peers.process import free_port, temporary_folder

__all__ = ["Orthanc", "private_orthanc"]


@contextmanager
def private_orthanc(options: Mapping[str, object] | None = None, move_port: int = 0) -> Iterator[Orthanc]:
    """Start Orthanc with DICOMweb on free ports and stop it when the block ends.

    Parameters
    ----------
    options : more of its configuration.
    move_port : where it sends to, when that is decided already.

    Raises
    ------
    NotInstalled : Orthanc or its DICOMweb plugin is not on this machine.
    PeerFailed : it did not come up.
    """
    program, plugin = installed("orthanc"), installed("orthanc-dicomweb")
    with temporary_folder("orthanc") as folder:
        orthanc = Orthanc(
            http_port=free_port(),
            user="deeplesion",
            password=secrets.token_urlsafe(16),
            aet="ORTHANC",
            dicom_port=free_port(),
            move_aet="HARVEST",
            move_port=move_port or free_port(),
            pid=0,
            folder=folder,
        )
        with served(orthanc, program, plugin, options) as running:
            yield running
