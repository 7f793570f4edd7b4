"""Why one of several processes gave up, in a file of the folder that they write.

The others are then cut off, and whatever started them adds its own words: the last line of their output is no reason.
"""

import os
import sys
from pathlib import Path

from detection.errors import DetectorError

FILE = "refused.txt"


def forget(folder: Path) -> None:
    """Remove what an earlier try said."""
    (folder / FILE).unlink(missing_ok=True)


def tell(folder: Path, error: DetectorError) -> None:
    """Say the sentence on stderr and keep it, the first of the processes alone; without a folder it is only said."""
    sentence = f"{error}.\n"
    own = folder / f".{FILE}.{os.getpid()}.part"
    try:
        own.write_text(sentence, encoding="utf-8")
        # Unlike a rename, a link leaves another process's sentence where it is.
        os.link(own, folder / FILE)
    except FileExistsError:
        return
    except OSError:
        # No folder, or a full disk, which the sentence may be about.
        sys.stderr.write(sentence)
    else:
        sys.stderr.write(sentence)
    finally:
        if folder.is_dir():
            own.unlink(missing_ok=True)


def read(folder: Path) -> str:
    """The sentence without its full stop; empty while none of the processes has given up."""
    try:
        return (folder / FILE).read_text(encoding="utf-8").strip().removesuffix(".")
    except OSError:
        return ""
