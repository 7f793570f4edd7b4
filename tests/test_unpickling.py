"""Nothing that was handed in is unpickled, and no XML or archive is opened but where it is capped."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("datasets", "detection", "workers", "deeplesion_site", "benchmarks")

UNPICKLES = {
    "pickle.load", "pickle.loads", "marshal.load", "marshal.loads", "shelve.open", "yaml.load", "joblib.load",
    "pickle.Unpickler", "dill.load", "dill.loads",
}  # fmt: skip
UNPACKS = {"extract", "extractall", "unpack_archive", "extractfile"}
XML_IN = "datasets/pacs/readers/markup.py"


@cache
def calls() -> list[tuple[str, ast.Call]]:
    """Every call in the program, with its file."""
    return [
        (path.relative_to(ROOT).as_posix(), node)
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    ]


def test_torch_loads_weights_only() -> None:
    loads = [
        (place, node) for place, node in calls()
        if ast.unparse(node.func) in ("torch.load", "np.load", "numpy.load")
    ]  # fmt: skip
    assert loads
    for place, call in loads:
        said = {each.arg: ast.unparse(each.value) for each in call.keywords}
        if ast.unparse(call.func) == "torch.load":
            assert said.get("weights_only") == "True", f"{place}:{call.lineno}"
        else:
            assert said.get("allow_pickle", "False") == "False", f"{place}:{call.lineno}"


def test_nothing_else_unpickles() -> None:
    found = [
        f"{place}:{node.lineno}" for place, node in calls()
        if ast.unparse(node.func) in UNPICKLES
    ]  # fmt: skip
    assert found == []


def test_archives_are_never_unpacked_and_xml_is_parsed_in_one_place() -> None:
    unpacked = [
        f"{place}:{node.lineno}" for place, node in calls()
        if isinstance(node.func, ast.Attribute) and node.func.attr in UNPACKS
    ]  # fmt: skip
    assert unpacked == []
    called = {
        place for place, node in calls()
        if ast.unparse(node.func).startswith("ElementTree.")
    }  # fmt: skip
    assert called == {XML_IN}
