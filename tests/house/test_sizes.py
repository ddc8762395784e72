"""No module, class or function outgrows its reader."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE, CLASS, FUNCTION = 400, 300, 50
SOURCES = sorted(
    path
    for folder in ("worldmail", "twisted", "tests", "benchmarks", "etc")
    for pattern in ("**/*.py", "**/*.tac")
    for path in (ROOT / folder).glob(pattern)
)
SHIPPED = [path for path in SOURCES if path.is_relative_to(ROOT / "worldmail")]


def oversized(source: str) -> Iterator[str]:
    """What is too long in a module, in words."""
    lines = source.count("\n")
    if lines > MODULE:
        yield f"the module has {lines} lines, {MODULE} at most: make it two modules"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            kind, limit = "class", CLASS
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            kind, limit = "function", FUNCTION
        else:
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > limit:
            yield f"line {node.lineno}: the {kind} {node.name} has {length} lines, {limit} at most"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_in_a_module_is_too_long(path: Path) -> None:
    found = list(oversized(path.read_text()))
    assert not found, "\n".join([str(path.relative_to(ROOT)), *found])


def test_the_median_module_is_short() -> None:
    lengths = sorted(count for path in SHIPPED if (count := path.read_text().count("\n")) > 10)
    assert lengths[len(lengths) // 2] <= 150


def test_the_measure_finds_what_is_too_long() -> None:
    function = "def f():\n" + "    x = 1\n" * FUNCTION
    assert [*oversized(function)] == [f"line 1: the function f has {FUNCTION + 1} lines, {FUNCTION} at most"]
    assert "the class C has" in "".join(oversized("class C:\n" + "    x = 1\n" * CLASS))
    assert "the module has" in "".join(oversized("x = 1\n" * (MODULE + 1)))
    assert not [*oversized("def f():\n" + "    x = 1\n" * (FUNCTION - 1))]
