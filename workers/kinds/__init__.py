"""All kinds of jobs, a module each."""

from typing import Any

from workers.errors import UnknownKind
from workers.kind import Kind
from workers.kinds import (
    bodypart,
    curate,
    evaluate,
    export,
    harvest,
    import_download,
    locate,
    manifest,
    release,
    train,
)

ALL: tuple[Kind[Any], ...] = (
    harvest.KIND,
    import_download.KIND,
    curate.KIND,
    release.KIND,
    manifest.KIND,
    export.KIND,
    bodypart.KIND,
    locate.KIND,
    train.KIND,
    evaluate.KIND,
)

BY_NAME = {kind.name: kind for kind in ALL}


def get(name: str) -> Kind[Any]:
    """The kind of a name.

    Raises
    ------
    UnknownKind
    """
    if name not in BY_NAME:
        raise UnknownKind(f"There is no kind of job called {name}.")
    return BY_NAME[name]
