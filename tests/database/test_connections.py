"""Every connection to an embedded database is made in one way."""

from __future__ import annotations

import re
from pathlib import Path

import apsw

import worldmail
from worldmail.database.file import DatabaseFile, connect
from worldmail.store.derived.file import DerivedFile


def plans_are_stable(connection: apsw.Connection) -> bool:
    """Whether the plan of a statement does not depend on its values, so that it is parsed once."""
    return connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, -1) == 1


def test_a_statement_is_parsed_once_on_every_connection(tmp_path: Path) -> None:
    file = DatabaseFile(path=str(tmp_path / "store.sqlite"))
    file.prepare()
    made = [file.open_writer(), file.open_reader(), connect(":memory:")]
    made += [DerivedFile(path=path).open("x", 0).connection for path in (str(tmp_path / "derived.sqlite"), ":memory:")]
    assert all(map(plans_are_stable, made))
    for connection in made:
        connection.close(True)


def test_no_other_place_makes_connections() -> None:
    root = Path(worldmail.__file__).parent
    made = [path.relative_to(root) for path in root.rglob("*.py") if re.search(r"apsw\.Connection\(", path.read_text())]
    assert made == [Path("database/file.py")]
