"""Untagged data that tells of changes of the selected mailbox (RFC 9051 §7.4, §7.5; RFC 7162 §3.2.10; RFC 9586 §3)."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from attrs import frozen

from worldmail.interfaces.messages import Marked, Uids
from worldmail.mail.numbers import ranges_of, render
from worldmail.protocols.imap.replies import untagged
from worldmail.protocols.imap.view.view import View

URLMECH = b"URLMECH INTERNAL"
"""The ways to authorise URLs (RFC 4467 §8.1): told at SELECT and EXAMINE, and after RESETKEY."""

RANGES = 2000
"""Of UIDs in one response."""

URL_MECHANISMS = untagged(b"OK", "Ways to authorise URLs", URLMECH)


@frozen
class Style:
    """How a client wants to be told.

    Args:
        modseq: FETCH responses carry MODSEQ (RFC 7162 §3.1: after any CONDSTORE enabling command).
        vanished: VANISHED instead of EXPUNGE (RFC 7162 §3.2.10.1).
        uid_only: no sequence numbers (RFC 9586).
        recent: \\Recent is told (RFC 3501; not in IMAP4rev2).
        resynchronises: the client comes back with the highest MODSEQ that it was told (RFC 7162 §3.2).
    """

    modseq: bool = False
    vanished: bool = False
    uid_only: bool = False
    recent: bool = True
    resynchronises: bool = False


def style_of(enabled: Collection[str]) -> Style:
    """What follows from what was enabled (RFC 5161)."""
    return Style(
        modseq="CONDSTORE" in enabled or "QRESYNC" in enabled,
        vanished="QRESYNC" in enabled or "UIDONLY" in enabled,
        uid_only="UIDONLY" in enabled,
        recent="IMAP4REV2" not in enabled,
        resynchronises="QRESYNC" in enabled,
    )


def exists(total: int) -> bytes:
    """EXISTS (RFC 9051 §7.4.1)."""
    return b"* %d EXISTS\r\n" % total


def recent(view: View) -> bytes:
    """RECENT (RFC 3501 §7.3.2)."""
    return b"* %d RECENT\r\n" % recent_count(view)


def recent_count(view: View) -> int:
    """How many messages are \\Recent; from that UID on all are loaded."""
    if view.first_recent >= view.uidnext:
        return 0
    return len(view.uids) - bisect_left(view.uids, view.first_recent)


def highest_modseq(modseq: int) -> bytes:
    """RFC 7162 §3.1.2.1."""
    return b"* OK [HIGHESTMODSEQ %d] Highest\r\n" % modseq


def expunged(view: View, gone: Sequence[int], ahead: Mapping[int, int], style: Style) -> list[bytes]:
    """EXPUNGE responses, or one VANISHED, for UIDs (ascending) that are to be taken out of the view next.

    From the highest number to the lowest, so that none moves another.

    Args:
        ahead: of those that are not loaded, how many messages are before them.
    """
    if not gone:
        return []
    if style.vanished:
        return [b"* VANISHED %b\r\n" % render(ranges_of(gone))]
    first = view.before + 1
    numbers = [ahead[uid] + 1 if uid in ahead else first + view.place(uid) for uid in gone]
    return [b"* %d EXPUNGE\r\n" % number for number in reversed(numbers)]


def earlier(gone: Uids) -> Iterator[bytes]:
    """VANISHED (EARLIER) responses, of bounded length (RFC 7162 §3.2.10.1)."""
    for start in range(0, len(gone), RANGES):
        yield b"* VANISHED (EARLIER) %b\r\n" % render(gone[start : start + RANGES])


def marked(view: View, rows: Sequence[tuple[int, Marked]], style: Style) -> list[bytes]:
    """FETCH responses with the flags of messages that are not loaded; before each, how many messages are before it."""
    lines = []
    for ahead, row in rows:
        number = row.uid if style.uid_only else ahead + 1
        uid = b"" if style.uid_only else b"UID %d " % row.uid
        modseq = b"MODSEQ (%d) " % row.modseq if style.modseq else b""
        told = view.flag_states.rendered[view.state(row.flags, row.keywords, row.uid)]
        word = b"UIDFETCH" if style.uid_only else b"FETCH"
        lines.append(b"* %d %b (%b%bFLAGS (%b))\r\n" % (number, word, uid, modseq, told))
    return lines


def flags(view: View, places: Iterable[int], style: Style) -> list[bytes]:
    """FETCH responses with the flags of these messages, one by one."""
    form, columns = _columns(view, [*places], style, flags=True)
    return [*map(form.__mod__, zip(*columns, strict=True))]


def flags_of_all(view: View, places: Sequence[int], style: Style) -> bytes:
    """The same in one piece."""
    return _joined(*_columns(view, places, style, flags=True))


def modseqs(view: View, places: Sequence[int], style: Style) -> bytes:
    """FETCH responses with the MODSEQ alone, for a client that knows the flags (RFC 7162 §3.1.3); none without it."""
    return _joined(*_columns(view, places, style, flags=False)) if style.modseq else b""


def _joined(form: bytes, columns: Sequence[Sequence[Any]]) -> bytes:
    return form * len(columns[0]) % tuple(chain.from_iterable(zip(*columns, strict=True)))


def _columns(view: View, places: Sequence[int], style: Style, *, flags: bool) -> tuple[bytes, Sequence[Sequence[Any]]]:
    """The form of a FETCH response, and what is filled in; what is the same in all of them is in the form.

    It has the UID, as RFC 9051 §7.5.2 wants it wherever it is known which message is meant.
    """
    uids = _picked(view.uids, places)
    form, columns = b"* %d FETCH (UID %d ", [_numbers(view, places), uids]
    if style.uid_only:
        form, columns = b"* %d UIDFETCH (", [uids]
    if style.modseq:
        form += _filled(b"MODSEQ (%d) ", _picked(view.modseqs, places), columns)
    if flags:
        states = _picked(view.states, places)
        form += _filled(b"FLAGS (%b) ", [*map(view.flag_states.rendered.__getitem__, states)], columns)
    return form[:-1] + b")\r\n", columns


def _filled(form: bytes, values: Sequence[Any], columns: list[Sequence[Any]]) -> bytes:
    """An item of it: as it is, and with a column more, if the values differ."""
    if values and values.count(values[0]) == len(values):
        filled: bytes = form % values[0]
        return filled.replace(b"%", b"%%")
    columns.append(values)
    return form


def _numbers(view: View, places: Sequence[int]) -> Sequence[int]:
    first = view.before + 1
    if isinstance(places, range) and places.step == 1:
        return range(first + places.start, first + places.stop)
    return [first + at for at in places]


def _picked(column: array[int], places: Sequence[int]) -> Sequence[int]:
    if isinstance(places, range) and places.step == 1:
        return column[places.start : places.stop]
    return [column[at] for at in places]
