"""The size that a compressed picture itself states, read before a decoder reserves memory for it.

A slice of a kilobyte can claim 65,535 x 65,535 pixels; decoders believe it.
"""

from __future__ import annotations

import struct

JPEG2000_START = b"\xff\x4f\xff\x51"
"""Start of codestream, followed at once by SIZ. Source: ITU-T T.800, A.5.1."""

JPEG_START = b"\xff\xd8"

JPEG2000_BOXES = b"\x00\x00\x00\x0cjP  "

FRAME_HEADERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""SOF markers of JPEG and JPEG-LS; the three are tables. Source: ITU-T T.81 B.1.1.3, T.87 C.1.1."""


def stated_size(frame: bytes) -> tuple[int, int] | None:
    """Rows and columns that a JPEG, JPEG-LS or JPEG 2000 picture states; None where it states none."""
    try:
        if frame.startswith(JPEG2000_BOXES):
            frame = frame[frame.index(JPEG2000_START) :]
        if frame.startswith(JPEG2000_START):
            right, bottom, left, top = struct.unpack_from(">4I", frame, 8)
            return bottom - top, right - left
        if frame.startswith(JPEG_START):
            return _of_jpeg(frame)
    except (struct.error, ValueError, IndexError):
        pass
    return None


def _of_jpeg(frame: bytes) -> tuple[int, int] | None:
    place = len(JPEG_START)
    while frame[place] == 0xFF:
        marker = frame[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker in FRAME_HEADERS:
            rows, columns = struct.unpack_from(">2H", frame, place + 5)
            return rows, columns
        (length,) = struct.unpack_from(">H", frame, place + 2)
        place += 2 + length
    return None
