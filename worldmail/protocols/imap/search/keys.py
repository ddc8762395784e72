"""The keys of a search program, a row each (RFC 9051 §6.4.4, RFC 3501 §6.4.4, and the extensions that add some)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from attrs import define, field, frozen

from worldmail.interfaces.derived import Needle, Summary
from worldmail.interfaces.messages import Flag, Stored
from worldmail.mail.numbers import LARGEST, Numbers
from worldmail.mail.objectids import content_of, thread_id
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand, No, UidRequired
from worldmail.protocols.imap.search.nodes import (
    AnyOf,
    Everything,
    Flagged,
    InRow,
    InSummary,
    InText,
    Keyworded,
    Modified,
    Node,
    Not,
    Nothing,
    Numbered,
    all_of,
)
from worldmail.protocols.imap.view.states import RECENT

DEEPEST = 32
"""How deep NOT, OR, FUZZY and parentheses may be nested."""

MOST_KEYS = 1000
"""How many keys a program may have."""

LONGEST_NEEDLE = 4096
"""Octets of a string that is looked for."""

CHARSETS = {"US-ASCII": "ascii", "UTF-8": "utf-8"}
_DAY = 86400
_EPOCH = date(1970, 1, 1).toordinal()


@define(kw_only=True)
class Program:
    """A search program while it is read.

    Args:
        now: epoch seconds, for OLDER and YOUNGER.
        charset: the codec of strings.
        modseq: MODSEQ was asked about: answers have to tell it (RFC 7162 §3.1.5).
        utf8_only: no charset may be named (RFC 6855 §3).
        uid_only: sequence numbers may not be used (RFC 9586 §3).
    """

    reader: Reader
    now: int
    charset: str = "utf-8"
    uid_only: bool = False
    utf8_only: bool = False
    modseq: bool = False
    _keys: int = field(default=0, init=False)
    _depth: int = field(default=0, init=False)

    def key(self) -> Node:
        """One key."""
        self._keys += 1
        if self._keys > MOST_KEYS or self._depth >= DEEPEST:
            raise No("The search is too complicated", b"LIMIT")
        reader = self.reader
        following = reader.peek()
        if following in b"0123456789*$" and following:
            if self.uid_only and following != b"$":
                raise UidRequired
            return Numbered(reader.numbers(), False)
        if following == b"(":
            return self.nested(self._group)
        row = KEYS.get(reader.word())
        if row is None:
            raise BadCommand("There is no such search key")
        return row.parse(self)

    def _group(self) -> Node:
        keys = self.reader.parenthesised(self.key)
        if not keys:
            raise BadCommand("A search key is expected")
        return all_of(keys)

    def inner(self) -> Node:
        """A key that belongs to the one before it."""
        self.reader.space()
        return self.nested(self.key)

    def nested(self, read: Callable[[], Node]) -> Node:
        """Read one level deeper."""
        self._depth += 1
        try:
            return read()
        finally:
            self._depth -= 1

    def string(self) -> str:
        """A string to look for."""
        self.reader.space()
        octets = self.reader.astring()
        if len(octets) > LONGEST_NEEDLE:
            raise No("The text to look for is too long", b"LIMIT")
        try:
            return octets.decode(self.charset)
        except UnicodeDecodeError:
            raise BadCommand("The text is not in the charset") from None

    def day(self) -> int:
        """A date, as days since 1 January 1970."""
        self.reader.space()
        return self.reader.date().toordinal() - _EPOCH


def read_program(program: Program) -> Node:
    """All keys, to the end of the command."""
    nodes = [program.key()]
    while program.reader.take(b" ") and not program.reader.at_end():
        nodes.append(program.key())
    program.reader.end()
    return all_of(nodes)


def read_charset(name: bytes) -> str:
    """The codec of a charset. Raises `No` with BADCHARSET and what there is (RFC 9051 §7.1)."""
    codec = CHARSETS.get(name.decode("ascii", "replace").upper())
    if codec is None:
        raise No("This charset is not known", b"BADCHARSET (US-ASCII UTF-8)")
    return codec


@frozen(kw_only=True)
class SearchKey:
    """One key: `parse` takes what stands behind its word."""

    word: bytes
    parse: Callable[[Program], Node]
    rfc: str = "RFC 9051 §6.4.4"


# --- flags ---


def _flag(word: str, flag: int) -> list[SearchKey]:
    has, lacks = Flagged(flag), Not(Flagged(flag))
    return [
        SearchKey(word=word.encode(), parse=lambda _: has),
        SearchKey(word=f"UN{word}".encode(), parse=lambda _: lacks),
    ]


def _keyword(program: Program) -> Node:
    program.reader.space()
    word = program.reader.flag()
    if word.startswith(b"\\"):
        raise BadCommand("A keyword is expected")
    return Keyworded(word.decode("ascii").lower())


_NEW = all_of([Flagged(RECENT), Not(Flagged(Flag.SEEN))])

_FLAGS = [
    *_flag("ANSWERED", Flag.ANSWERED),
    *_flag("DELETED", Flag.DELETED),
    *_flag("DRAFT", Flag.DRAFT),
    *_flag("FLAGGED", Flag.FLAGGED),
    *_flag("SEEN", Flag.SEEN),
    SearchKey(word=b"KEYWORD", parse=_keyword),
    SearchKey(word=b"UNKEYWORD", parse=lambda program: Not(_keyword(program))),
    SearchKey(word=b"RECENT", parse=lambda _: Flagged(RECENT), rfc="RFC 3501 §6.4.4"),
    SearchKey(word=b"OLD", parse=lambda _: Not(Flagged(RECENT)), rfc="RFC 3501 §6.4.4"),
    SearchKey(word=b"NEW", parse=lambda _: _NEW, rfc="RFC 3501 §6.4.4"),
]

# --- sizes and dates ---


def _larger(program: Program) -> Node:
    program.reader.space()
    size = program.reader.number64()
    return InRow(lambda row: row.size > size)


def _smaller(program: Program) -> Node:
    program.reader.space()
    size = program.reader.number64()
    return InRow(lambda row: row.size < size)


def _received(row: Stored) -> int:
    return row.received // _DAY


def _saved(row: Stored) -> int:
    return row.saved // _DAY


def _dated(prefix: str, day_of: Callable[[Stored], int], rfc: str = "RFC 9051 §6.4.4") -> list[SearchKey]:
    """BEFORE, ON and SINCE of a date in the stored row; its days are those of UTC, as INTERNALDATE is told."""

    def before(program: Program) -> Node:
        day = program.day()
        return InRow(lambda row: day_of(row) < day)

    def on(program: Program) -> Node:
        day = program.day()
        return InRow(lambda row: day_of(row) == day)

    def since(program: Program) -> Node:
        day = program.day()
        return InRow(lambda row: day_of(row) >= day)

    names = (("BEFORE", before), ("ON", on), ("SINCE", since))
    return [SearchKey(word=(prefix + name).encode(), parse=parse, rfc=rfc) for name, parse in names]


def _sent(holds: Callable[[int, int], bool]) -> Callable[[Program], Node]:
    """A question to the day of the Date field, whatever its time and zone; no message without one is meant."""

    def parse(program: Program) -> Node:
        day = program.day()
        return InSummary(lambda _, summary: summary.sent_day is not None and holds(summary.sent_day, day))

    return parse


def _within(older: bool) -> Callable[[Program], Node]:
    """RFC 5032 §3: seconds before now."""

    def parse(program: Program) -> Node:
        program.reader.space()
        moment = program.now - program.reader.nz_number()
        return InRow((lambda row: row.received <= moment) if older else (lambda row: row.received >= moment))

    return parse


_DATES = [
    SearchKey(word=b"LARGER", parse=_larger),
    SearchKey(word=b"SMALLER", parse=_smaller),
    *_dated("", _received),
    *_dated("SAVED", _saved, "RFC 8514 §4.3"),
    SearchKey(word=b"SAVEDATESUPPORTED", parse=lambda _: Everything(), rfc="RFC 8514 §4.3"),
    SearchKey(word=b"SENTBEFORE", parse=_sent(lambda sent, day: sent < day)),
    SearchKey(word=b"SENTON", parse=_sent(lambda sent, day: sent == day)),
    SearchKey(word=b"SENTSINCE", parse=_sent(lambda sent, day: sent >= day)),
    SearchKey(word=b"OLDER", parse=_within(older=True), rfc="RFC 5032 §3"),
    SearchKey(word=b"YOUNGER", parse=_within(older=False), rfc="RFC 5032 §3"),
]

# --- text ---


def _where(where: str) -> Callable[[Program], Node]:
    def parse(program: Program) -> Node:
        text = program.string()
        return InText(Needle(where=where, text=text)) if text else Everything()

    return parse


def _field(name: str) -> Callable[[Program], Node]:
    return lambda program: InText(Needle(where="field", field=name, text=program.string()))


def _header(program: Program) -> Node:
    name = program.string().rstrip(":").strip().lower()
    return InText(Needle(where="field", field=name, text=program.string()))


_TEXTS = [
    SearchKey(word=b"BODY", parse=_where("body")),
    SearchKey(word=b"TEXT", parse=_where("text")),
    *(SearchKey(word=name.upper().encode(), parse=_field(name)) for name in ("bcc", "cc", "from", "subject", "to")),
    SearchKey(word=b"HEADER", parse=_header),
]

# --- numbers, ids ---


def _uid(program: Program) -> Node:
    program.reader.space()
    return Numbered(program.reader.numbers(), True)


def _uid_after(program: Program) -> Node:
    program.reader.space()
    uid = program.reader.nz_number()
    return Numbered(Numbers(((uid + 1, LARGEST),)), True) if uid < LARGEST else Nothing()


def _uid_before(program: Program) -> Node:
    program.reader.space()
    uid = program.reader.nz_number()
    return Numbered(Numbers(((1, uid - 1),)), True) if uid > 1 else Nothing()


def _modseq(program: Program) -> Node:
    """RFC 7162 §3.1.5: an entry and its type may stand before the number; all have one MODSEQ here."""
    reader = program.reader
    reader.space()
    if reader.peek() == b'"':
        reader.string()
        reader.space()
        if reader.word() not in (b"PRIV", b"SHARED", b"ALL"):
            raise BadCommand("priv, shared or all is expected")
        reader.space()
    program.modseq = True
    return Modified(reader.number64())


def _email_id(program: Program) -> Node:
    program.reader.space()
    wanted = content_of(program.reader.astring())
    return Nothing() if wanted is None else InRow(lambda row: row.content_id == wanted)


def _thread_id(program: Program) -> Node:
    program.reader.space()
    wanted = program.reader.astring()

    def holds(content_id: int, summary: Summary) -> bool:
        return thread_id(content_id, summary.message_id, summary.references) == wanted

    return InSummary(holds)


_NUMBERS = [
    SearchKey(word=b"ALL", parse=lambda _: Everything()),
    SearchKey(word=b"UID", parse=_uid),
    SearchKey(word=b"UIDAFTER", parse=_uid_after, rfc="RFC 9738 §3.2"),
    SearchKey(word=b"UIDBEFORE", parse=_uid_before, rfc="RFC 9738 §3.2"),
    SearchKey(word=b"MODSEQ", parse=_modseq, rfc="RFC 7162 §3.1.5"),
    SearchKey(word=b"EMAILID", parse=_email_id, rfc="RFC 8474 §6"),
    SearchKey(word=b"THREADID", parse=_thread_id, rfc="RFC 8474 §6"),
]

# --- what binds them ---


def _either(program: Program) -> Node:
    return AnyOf((program.inner(), program.inner()))


_BINDING = [
    SearchKey(word=b"NOT", parse=lambda program: Not(program.inner())),
    SearchKey(word=b"OR", parse=_either),
    # What is not exact about it is ours to choose (RFC 6203 §3): texts are compared by i;unicode-casemap anyway.
    SearchKey(word=b"FUZZY", parse=lambda program: program.inner(), rfc="RFC 6203 §3"),
]

KEYS = {row.word: row for row in (*_FLAGS, *_DATES, *_TEXTS, *_NUMBERS, *_BINDING)}
"""Every key by its word."""
