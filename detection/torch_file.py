"""Files that torch wrote: whatever else lies in their place becomes one exception."""

import warnings
from pathlib import Path
from typing import Any

import torch


class NotReadable(Exception):
    """The file is damaged, or holds no values by name; its caller says what it should have been."""


def read(path: Path) -> dict[str, Any]:
    """Read values by name; code in the file is not run.

    Raises
    ------
    NotReadable, FileNotFoundError
    """
    try:
        with warnings.catch_warnings():
            # Of noise, torch says that its pickle protocol is another one.
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:
        # On damaged bytes the unpickler raises whatever it stumbles over: IndexError, KeyError, AttributeError, ...
        raise NotReadable from error
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise NotReadable
    return content
