"""What differs from one SQL engine to the next: the one place that knows.

Units and migrations are written in the SQL that SQLite and PostgreSQL share, with `?` for
parameters. Migrations spell the few types that differ as tokens:

| token        | meaning                                                     |
|--------------|-------------------------------------------------------------|
| `{id}`       | an integer key that the engine gives out, growing           |
| `{lasting}`  | the same, and none is given out a second time               |
| `{int}`      | a signed integer of 64 bits                                 |
| `{blob}`     | octets                                                      |
| `{no_rowid}` | the table lies in the order of its primary key, if it can   |
"""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Dialect:
    """One engine's spelling of the tokens."""

    name: str
    id: str
    lasting: str
    int: str
    blob: str
    no_rowid: str

    def statement(self, template: str) -> str:
        """The template with its tokens spelled for this engine."""
        return template.format(id=self.id, lasting=self.lasting, int=self.int, blob=self.blob, no_rowid=self.no_rowid)


SQLITE = Dialect(
    name="sqlite",
    id="INTEGER PRIMARY KEY",
    lasting="INTEGER PRIMARY KEY AUTOINCREMENT",
    int="INTEGER",
    blob="BLOB",
    no_rowid="WITHOUT ROWID",
)
