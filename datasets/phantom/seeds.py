"""Random numbers by name: each thing draws from its own stream, so that no order of work changes the outcome."""

import zlib

import numpy as np


def rng(seed: int, *names: object) -> np.random.Generator:
    """A generator that depends on the seed and the names alone."""
    return np.random.default_rng([seed, *(zlib.crc32(str(name).encode()) for name in names)])
