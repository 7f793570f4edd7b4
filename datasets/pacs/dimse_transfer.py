"""Getting objects from an application entity: over our own association (C-GET), or sent to our own port (C-MOVE)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from io import BytesIO
from typing import Protocol, cast
from weakref import WeakKeyDictionary

from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import AE, AllStoragePresentationContexts, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.transport import ThreadedAssociationServer

from datasets.pacs import dimse_tls
from datasets.pacs.dimse_link import ANSWER_S, PDU_BYTES, PENDING, SUCCESS, Link, code_of
from datasets.pacs.directory import read_stream
from datasets.pacs.instance import Instance
from datasets.pacs.source import BadAddress, BadAnswer, SourceUnreachable, TooLarge, Unreadable

MOVE, GET = "1.2.840.10008.5.1.4.1.2.2.2", "1.2.840.10008.5.1.4.1.2.2.3"
"""Study Root Query/Retrieve Information Model - MOVE, GET."""

MAX_OBJECT_BYTES = 256 * 2**20
"""Many times the largest CT slice."""

UNCOMPRESSED = (
    ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian,
)  # fmt: skip
COMPRESSED = (
    JPEG2000Lossless, JPEG2000, JPEGLosslessSV1, JPEGLossless, JPEGLSLossless, JPEGLSNearLossless, RLELossless,
    JPEGBaseline8Bit, JPEGExtended12Bit,
)  # fmt: skip

WITHOUT_PIXELS = tuple(f"1.2.840.10008.5.1.4.1.1.{suffix}" for suffix in ("88.", "11.", "104.", "481.3"))
"""Classes that have no compressed form, by their beginning."""

TAKEN, NOT_WANTED = 0x0000, 0xA700
UNKNOWN_DESTINATION = 0xA801
WARNING = 0xB000
"""Some objects could not be sent; the others were."""

NOTHING_SENT = (0xA702, 0xC000)


class Transfer(Protocol):
    """Brings objects over."""

    def open(self) -> AbstractContextManager[None]:
        """What must surround every `fetch`; may be entered several times, by several threads.

        Raises
        ------
        SourceError : nothing can be fetched.
        """

    def fetch(self, instances: Sequence[Instance]) -> dict[str, Dataset | Unreadable]:
        """Get objects by SOPInstanceUID; one that does not come is left out.

        Raises
        ------
        SourceError : the server stopped, or refuses to send anything.
        """


class Arrivals:
    """Objects as they come in, taken apart, and nothing that nobody waits for."""

    def __init__(self, wanted: Callable[[str], bool]) -> None:
        self.objects: dict[str, Dataset | Unreadable] = {}
        self.too_large = False
        self._wanted = wanted
        self._bytes: WeakKeyDictionary[Association, int] = WeakKeyDictionary()
        """Received since the last object, by association."""

    @property
    def handlers(self) -> list[tuple[evt.EventType, Callable[[Event], int | None]]]:
        """What an association calls."""
        return [(evt.EVT_C_STORE, self._take), (evt.EVT_DATA_RECV, self._count)]

    def _take(self, event: Event) -> int:
        self._bytes[event.assoc] = 0
        uid = str(getattr(event.request, "AffectedSOPInstanceUID", ""))
        if not self._wanted(uid):
            return NOT_WANTED
        try:
            self.objects[uid] = read_stream(BytesIO(event.encoded_dataset()))
        except Unreadable as error:
            self.objects[uid] = error
        return TAKEN

    def _count(self, event: Event) -> None:
        self._bytes[event.assoc] = self._bytes.get(event.assoc, 0) + len(event.data)
        if self._bytes[event.assoc] > MAX_OBJECT_BYTES:
            self.too_large = True
            event.assoc.abort()


class Getter:
    """C-GET."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def open(self) -> AbstractContextManager[None]:
        """See `Transfer`; nothing is needed."""
        return nullcontext()

    def fetch(self, instances: Sequence[Instance]) -> dict[str, Dataset | Unreadable]:
        """See `Transfer`."""
        wanted = {instance.SOPInstanceUID for instance in instances}
        arrivals = Arrivals(wanted.__contains__)
        classes = sorted({instance.SOPClassUID for instance in instances})
        # A pair of class and syntax each: in one context with several, the server would pick one and could not send
        # what it has in another.
        contexts = [build_context(GET)] + [
            build_context(each, syntax) for each in classes for syntax in syntaxes_of(each)
        ]
        roles = [build_role(each, scp_role=True) for each in classes]
        try:
            with self._link.associated(contexts, roles, arrivals.handlers) as association:
                for status, _ in association.send_c_get(identifier_of(instances), GET):
                    check_status(status)
        except SourceUnreachable:
            if not arrivals.too_large:
                raise
        return _settled(arrivals, instances)


class Mover:
    """C-MOVE to a storage server of our own, which listens only while something is fetched."""

    def __init__(self, link: Link, title: str, port: int) -> None:
        self._link = link
        self._title, self._port = title, port
        self._wanted: set[str] = set()
        self._arrivals = Arrivals(self._wanted.__contains__)
        self._users = 0
        self._server: ThreadedAssociationServer | None = None
        self._opening, self._moving = threading.Lock(), threading.Lock()

    @contextmanager
    def open(self) -> Iterator[None]:
        """See `Transfer`."""
        with self._opening:
            self._server = self._server or self._listen()
            self._users += 1
        try:
            yield
        finally:
            with self._opening:
                self._users -= 1
                if not self._users and self._server:
                    self._server.shutdown()
                    self._server = None

    def fetch(self, instances: Sequence[Instance]) -> dict[str, Dataset | Unreadable]:
        """See `Transfer`. One transfer at a time."""
        with self._moving:
            self._wanted |= {instance.SOPInstanceUID for instance in instances}
            try:
                with self._link.associated([build_context(MOVE)]) as association:
                    for status, _ in association.send_c_move(identifier_of(instances), self._title, MOVE):
                        check_status(status, self._title)
                return _settled(self._arrivals, instances)
            finally:
                self._wanted.clear()
                self._arrivals.objects.clear()
                self._arrivals.too_large = False

    def _listen(self) -> ThreadedAssociationServer:
        entity = AE(self._title)
        entity.require_called_aet = True
        entity.maximum_pdu_size = PDU_BYTES
        entity.dimse_timeout = entity.network_timeout = ANSWER_S
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(str(context.abstract_syntax), [*UNCOMPRESSED, *COMPRESSED])
        secured = dimse_tls.as_server() if self._link.address.tls else None
        try:
            # Only where the server reaches us, not on every network that this machine is in.
            server = entity.start_server(
                (self._link.local_host(), self._port),
                block=False,
                evt_handlers=list(self._arrivals.handlers),
                ssl_context=secured,
            )
        except OSError as error:
            raise BadAddress(f"our own port {self._port} cannot be opened: {error.strerror}") from None
        return cast(ThreadedAssociationServer, server)


def syntaxes_of(sop_class: str) -> tuple[str, ...]:
    """The transfer syntaxes in which objects of a class are stored."""
    return UNCOMPRESSED if sop_class.startswith(WITHOUT_PIXELS) else (*UNCOMPRESSED, *COMPRESSED)


def identifier_of(instances: Sequence[Instance]) -> Dataset:
    """What a retrieval asks for: objects of one study by their UIDs."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    identifier.StudyInstanceUID = instances[0].StudyInstanceUID
    identifier.SeriesInstanceUID = sorted({instance.SeriesInstanceUID for instance in instances})
    identifier.SOPInstanceUID = [instance.SOPInstanceUID for instance in instances]
    return identifier


def check_status(status: Dataset, destination: str = "") -> None:
    """Go on only while the server does.

    Raises
    ------
    SourceUnreachable, BadAnswer
    """
    code = code_of(status, "the server stopped in the middle of a transfer")
    if code == UNKNOWN_DESTINATION:
        raise BadAnswer(f"the server does not know where to send to: it has no destination {destination}")
    if code not in (SUCCESS, WARNING, *NOTHING_SENT, *PENDING):
        raise BadAnswer(f"the server refuses to send with status 0x{code:04X}")


def _settled(arrivals: Arrivals, instances: Sequence[Instance]) -> dict[str, Dataset | Unreadable]:
    objects = dict(arrivals.objects)
    if arrivals.too_large and len(instances) == 1:
        size = MAX_OBJECT_BYTES // 2**20
        cause = TooLarge(f"it is larger than {size} MB, which no slice or report is")
        objects[instances[0].SOPInstanceUID] = Unreadable.because(cause)
    return objects
