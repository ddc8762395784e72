"""docs/rfcs.tsv: which RFC, how far, and where in the source."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import worldmail.protocols
from worldmail.protocols.imap import rows as imap
from worldmail.wire.commands import Command

Row = Command[object] | imap.Command

ROOT = Path(__file__).resolve().parents[2]
TABLE = (ROOT / "docs" / "rfcs.tsv").read_text()
STATES = {"whole", "part", "planned", "informed"}
SECTION = re.compile(r"RFC \d{3,5} §\d+(?:\.\d+)*[a-z]?|draft-[a-z0-9-]+-\d\d")


def rows() -> list[list[str]]:
    """The rows without the head."""
    return [line.split("\t") for line in TABLE.splitlines()[1:]]


def commands() -> Iterator[tuple[str, Row]]:
    """Every command row of every protocol, by its module."""
    for module in pkgutil.walk_packages(worldmail.protocols.__path__, "worldmail.protocols."):
        for name, value in vars(importlib.import_module(module.name)).items():
            found = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
            for item in found:
                if isinstance(item, Command | imap.Command):
                    yield f"{module.name}:{name}", item


ROWS = {(row.word, row.rfc): row for _, row in commands()}


def test_the_table_has_its_head_and_ends_with_a_line_end() -> None:
    assert TABLE.splitlines()[0].split("\t") == ["rfc", "title", "status", "where"]
    assert TABLE.endswith("\n")


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_row_is_whole_and_its_paths_exist(row: list[str]) -> None:
    assert len(row) == 4
    number, title, status, where = row
    assert number.isdecimal()
    assert title.strip() == title != ""
    assert status in STATES
    paths = where.split()
    assert paths or status in {"planned", "informed"}
    for path in paths:
        assert (ROOT / path).exists(), path


def test_the_numbers_grow() -> None:
    numbers = [int(row[0]) for row in rows()]
    assert numbers == sorted(set(numbers))


def test_there_are_commands_to_look_at() -> None:
    assert {b"EHLO", b"RETR", b"AUTHENTICATE"} <= {word for word, _ in ROWS}


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: f"{row.word.decode()}-{row.rfc}")
def test_a_command_cites_its_section(row: Row) -> None:
    assert SECTION.match(row.rfc), row.rfc


def test_an_RFC_that_the_source_cites_is_in_the_table() -> None:
    listed = {int(row[0]) for row in rows()}
    cited: dict[int, str] = {}
    for path in (ROOT / "worldmail").rglob("*.py"):
        for number in re.findall(r"\bRFC (\d{3,5})\b", path.read_text()):
            cited.setdefault(int(number), str(path.relative_to(ROOT)))
    missing = {number: path for number, path in sorted(cited.items()) if number not in listed}
    assert not missing, f"docs/rfcs.tsv lacks {missing}"
