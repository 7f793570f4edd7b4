"""Associations with one application entity, and every way in which they fail in words."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, build_context
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext

from datasets.pacs import dimse_tls
from datasets.pacs.addressing import DimseAddress
from datasets.pacs.dimse_pause import make_pauses_hold
from datasets.pacs.source import AccessDenied, BadAnswer, SourceError, SourceUnreachable, TruncatedAnswer

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
"""Study Root Query/Retrieve Information Model - FIND."""

CONNECT_S, ANSWER_S = 10.0, 60.0
"""How long to wait for a connection, and for the next piece of an answer."""

PDU_BYTES = 131_072
"""Larger pieces than the usual 16 kB: fewer of them per image."""

UNKNOWN_NAME = "the server cannot be reached: its name is not known"

SUCCESS, CANCEL = 0x0000, 0xFE00
PENDING = (0xFF00, 0xFF01)

_REJECTED = {
    3: "it does not know us as {ours}",
    7: "it is not called {theirs}",
}
"""Why a service user rejects an association, DICOM PS3.8 table 9-21."""


class Link:
    """What opens associations with one application entity."""

    def __init__(self, address: DimseAddress) -> None:
        self.address = address

    def find(self, *identifiers: Dataset) -> list[Dataset]:
        """Run queries over one association and give all that they find.

        Raises
        ------
        SourceError
        """
        found: list[Dataset] = []
        if not identifiers:
            return found
        with self.associated([build_context(FIND)]) as association:
            for identifier in identifiers:
                for status, answer in association.send_c_find(identifier, FIND):
                    code = code_of(status, "the server broke off the search")
                    if code in PENDING:
                        if answer is None:
                            raise BadAnswer("an entry of the server's list is no DICOM data set")
                        found.append(answer)
                    elif code == CANCEL:
                        raise TruncatedAnswer("the server ended the search before its end")
                    elif code != SUCCESS:
                        raise BadAnswer(f"the server refuses the search with status 0x{code:04X}")
        return found

    @contextmanager
    def associated(
        self,
        contexts: list[PresentationContext],
        roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
        handlers: Sequence[tuple[Any, ...]] = (),
    ) -> Iterator[Association]:
        """Open an association for as long as the block lasts.

        Raises
        ------
        SourceError : none comes about.
        """
        association = self._asked_for(contexts, roles, handlers)
        if not association.is_established and not association.is_rejected:
            # A server that closes right behind its answer may be heard closing first.
            association = self._asked_for(contexts, roles, handlers)
        if not association.is_established:
            raise self._why_not(association)
        make_pauses_hold(association)
        if not association.accepted_contexts:
            association.release()
            raise BadAnswer("the server does not offer this service to us")
        try:
            yield association
        except BaseException:
            association.abort()
            raise
        association.release()

    def _asked_for(
        self,
        contexts: list[PresentationContext],
        roles: Sequence[SCP_SCU_RoleSelectionNegotiation],
        handlers: Sequence[tuple[Any, ...]],
    ) -> Association:
        to = self.address
        entity = AE(to.our_aet)
        entity.connection_timeout = entity.acse_timeout = CONNECT_S
        entity.dimse_timeout = entity.network_timeout = ANSWER_S
        secured = (dimse_tls.as_client(), to.host) if to.tls else None
        try:
            return entity.associate(
                to.host,
                to.port,
                contexts=contexts,
                ae_title=to.aet,
                max_pdu=PDU_BYTES,
                ext_neg=list(roles),
                evt_handlers=list(handlers),
                tls_args=secured,
            )
        except socket.gaierror:
            raise SourceUnreachable(UNKNOWN_NAME) from None

    def local_host(self) -> str:
        """The address under which the server's network sees us.

        Raises
        ------
        SourceUnreachable
        """
        with self._connected() as connection:
            host: str = connection.getsockname()[0]
        return host

    def _why_not(self, association: Association) -> SourceError:
        if association.is_rejected:
            diagnostic = getattr(association.acceptor.primitive, "diagnostic", 0)
            known = _REJECTED.get(diagnostic, "it gives no reason")
            words = known.format(ours=self.address.our_aet, theirs=self.address.aet)
            return AccessDenied(f"the server rejects the association: {words}")
        try:
            with self._connected() as connection:
                failure = dimse_tls.why_not(connection, self.address.host) if self.address.tls else None
        except SourceUnreachable as error:
            return error
        if failure is not None:
            return failure
        return BadAnswer("what listens at this host and port does not speak DICOM, or hangs up on us")

    def _connected(self) -> socket.socket:
        try:
            return socket.create_connection((self.address.host, self.address.port), timeout=CONNECT_S)
        except socket.gaierror:
            raise SourceUnreachable(UNKNOWN_NAME) from None
        except TimeoutError:
            raise SourceUnreachable("the server cannot be reached: it does not answer") from None
        except ConnectionRefusedError:
            raise SourceUnreachable("the server cannot be reached: nothing listens at this host and port") from None
        except OSError as error:
            cause = error.strerror or "the connection broke"
            raise SourceUnreachable(f"the server cannot be reached: {cause}") from None


def code_of(status: Dataset, broken: str) -> int:
    """The code of a status.

    Raises
    ------
    SourceUnreachable : the status is empty, which is how a time-out or an abort shows. It does not mean "nothing
        was found".
    """
    if "Status" not in status:
        raise SourceUnreachable(f"{broken} (time-out or abort)")
    return int(status.Status)
