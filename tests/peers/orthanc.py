"""A private Orthanc: a PACS that speaks DICOMweb and DIMSE."""

import base64
import json
import os
import secrets
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.error import URLError

from tests.peers.packages import installed
from tests.peers.process import free_port, running, temporary_folder


@dataclass(frozen=True)
class Orthanc:
    """A running PACS.

    Attributes
    ----------
    url : of its REST interface, without a slash at the end; DICOMweb is under /dicom-web.
    user, password : for both (HTTP basic authentication).
    aet, dicom_port : its application entity on 127.0.0.1.
    move_aet, move_port : the one destination on 127.0.0.1 that it sends to on C-MOVE; nothing listens there yet.
    """

    url: str
    user: str
    password: str
    aet: str
    dicom_port: int
    move_aet: str
    move_port: int
    pid: int
    folder: Path

    def request(self, path: str, body: bytes | None = None) -> bytes:
        """GET a path of the REST interface, or POST a body to it (a DICOM file to /instances stores it).

        Raises
        ------
        urllib.error.HTTPError : the answer is an error.
        """
        request = urllib.request.Request(f"{self.url}{path}", data=body)
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: bytes = response.read()
        return answer


@contextmanager
def private_orthanc() -> Iterator[Orthanc]:
    """Start Orthanc with DICOMweb on free ports and stop it when the block ends.

    Raises
    ------
    NotInstalled : Orthanc or its DICOMweb plugin is not on this machine.
    PeerFailed : it did not come up.
    """
    program, plugin = installed("orthanc"), installed("orthanc-dicomweb")
    with temporary_folder("orthanc") as folder:
        http_port = free_port()
        orthanc = Orthanc(
            url=f"http://127.0.0.1:{http_port}",
            user="deeplesion",
            password=secrets.token_urlsafe(16),
            aet="ORTHANC",
            dicom_port=free_port(),
            move_aet="HARVEST",
            move_port=free_port(),
            pid=0,
            folder=folder,
        )
        configuration = folder / "orthanc.json"
        configuration.write_text(json.dumps(_configuration(orthanc, http_port, plugin), indent=1))
        # Without TCP_NODELAY, C-GET waits some 40 ms for an acknowledgement at every image.
        environment = os.environ | {"TCP_NODELAY": "1"}
        with running(program, [str(configuration)], folder, lambda: _answers(orthanc), environment=environment) as pid:
            yield replace(orthanc, pid=pid)


def _configuration(orthanc: Orthanc, http_port: int, plugin: Path) -> dict[str, object]:
    return {
        "Name": "deeplesion",
        "StorageDirectory": str(orthanc.folder / "storage"),
        "IndexDirectory": str(orthanc.folder / "storage"),
        "Plugins": [str(plugin)],
        "HttpPort": http_port,
        # This server listens on every interface, but answers nobody from elsewhere.
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {orthanc.user: orthanc.password},
        "DicomAet": orthanc.aet,
        "DicomPort": orthanc.dicom_port,
        "DicomCheckModalityHost": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "DicomModalities": {orthanc.move_aet: [orthanc.move_aet, "127.0.0.1", orthanc.move_port]},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "StudiesMetadata": "Full", "SeriesMetadata": "Full"},
    }


def _answers(orthanc: Orthanc) -> bool:
    try:
        orthanc.request("/system")
    except URLError:
        return False
    return True
