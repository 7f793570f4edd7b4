"""Orthanc as the phantom hospital's PACS: private, on loopback, speaking DICOMweb and DIMSE."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path

from datasets.phantom.process import running

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


class NotAnswered(Exception):
    """The PACS answers a request with an error."""


@dataclass(frozen=True)
class Orthanc:
    """A PACS.

    Attributes
    ----------
    http_port : of its REST interface on 127.0.0.1; DICOMweb is under /dicom-web.
    user, password : for both (HTTP basic authentication).
    aet, dicom_port : its application entity on 127.0.0.1.
    move_aet, move_port : the one destination on 127.0.0.1 that it sends to on C-MOVE; nothing listens there yet.
    pid : of its process, 0 before it runs.
    folder : its configuration, log and storage.
    """

    http_port: int
    user: str
    password: str
    aet: str
    dicom_port: int
    move_aet: str
    move_port: int
    pid: int
    folder: Path

    @property
    def url(self) -> str:
        """Of its REST interface, without a slash at the end."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def web(self) -> str:
        """Its address by DICOMweb."""
        return f"dicomweb+http://{self.user}@127.0.0.1:{self.http_port}/dicom-web"

    @property
    def dimse(self) -> str:
        """Its address by DIMSE."""
        return f"dimse://{self.aet}@127.0.0.1:{self.dicom_port}"

    @property
    def move(self) -> str:
        """What is added to `dimse` for C-MOVE."""
        return f"?move={self.move_aet}:{self.move_port}"

    def request(self, path: str, body: bytes | None = None) -> bytes:
        """GET a path of the REST interface, or POST a body to it (a DICOM file to /instances stores it).

        Raises
        ------
        NotAnswered : the answer is an error. OSError : there is none.
        """
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        with closing(HTTPConnection("127.0.0.1", self.http_port, timeout=30)) as connection:
            connection.request("POST" if body else "GET", path, body, {"Authorization": f"Basic {token}"})
            answer = connection.getresponse()
            content = answer.read()
        if answer.status != 200:
            raise NotAnswered(f"{path}: HTTP {answer.status}")
        return content


def find_program() -> Path | None:
    """Where Orthanc is, if it is on this machine; Debian keeps it in /usr/sbin, which is not on every user's PATH."""
    found = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    return Path(found) if found else None


def find_plugin() -> Path | None:
    """Where its DICOMweb plugin is, if it is on this machine."""
    return PLUGIN if PLUGIN.exists() else None


@contextmanager
def served(
    orthanc: Orthanc, program: Path, plugin: Path, options: Mapping[str, object] | None = None
) -> Iterator[Orthanc]:
    """Run it until the block ends.

    Parameters
    ----------
    options : of Orthanc's configuration, beside and before those that are needed here.

    Raises
    ------
    PeerFailed : it did not come up.
    """
    configuration = orthanc.folder / "orthanc.json"
    configuration.touch(mode=0o600)
    configuration.write_text(json.dumps(_configuration(orthanc, plugin) | dict(options or {}), indent=1))
    # Without TCP_NODELAY, C-GET waits some 40 ms for an acknowledgement at every image.
    environment = os.environ | {"TCP_NODELAY": "1"}
    arguments = [str(configuration)]
    with running(program, arguments, orthanc.folder, lambda: _answers(orthanc), environment=environment) as pid:
        yield replace(orthanc, pid=pid)


def _configuration(orthanc: Orthanc, plugin: Path) -> dict[str, object]:
    return {
        "Name": "deeplesion",
        "StorageDirectory": str(orthanc.folder / "storage"),
        "IndexDirectory": str(orthanc.folder / "storage"),
        "Plugins": [str(plugin)],
        "HttpPort": orthanc.http_port,
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
    except (OSError, NotAnswered):
        return False
    return True
