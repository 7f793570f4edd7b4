"""Random numbers and UIDs by name: each thing has its own stream, so that no order of work changes the outcome."""

import hashlib
import zlib

import numpy as np


def rng(seed: int, *names: object) -> np.random.Generator:
    """A generator that depends on the seed and the names alone."""
    return np.random.default_rng([seed, *(zlib.crc32(str(name).encode()) for name in names)])


def uid(seed: int, *names: object) -> str:
    """A DICOM UID under 2.25 that depends on the seed and the names alone (PS3.5 B.2)."""
    text = "/".join(map(str, ("deeplesion phantom", seed, *names)))
    return f"2.25.{int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), 'big')}"
