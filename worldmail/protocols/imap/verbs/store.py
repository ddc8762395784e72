"""STORE and UID STORE: change flags (RFC 9051 §6.4.6, RFC 7162 §3.1.3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

from attrs import define

from worldmail.errors import NoRight
from worldmail.interfaces.messages import FlagChange, FlagsChanged
from worldmail.mail.numbers import Numbers, ranges_of, render
from worldmail.protocols.imap.afterwards import refused
from worldmail.protocols.imap.conditional import change_flags
from worldmail.protocols.imap.condstore import enable_condstore
from worldmail.protocols.imap.fetch.answers import Gone
from worldmail.protocols.imap.flag_rights import ALL_FLAGS, changeable
from worldmail.protocols.imap.grammar.flags import Flags
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.message_limit import last_of, most
from worldmail.protocols.imap.replies import BadCommand
from worldmail.protocols.imap.rows import SELECTED, Answer, Command, Done
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.targets import selected_of, targets
from worldmail.protocols.imap.view import untagged
from worldmail.protocols.imap.view.selected import Selected
from worldmail.protocols.imap.view.untagged import style_of
from worldmail.protocols.imap.view.view import Slices, View

_HOW: dict[bytes, Literal["add", "remove", "replace"]] = {b"+": "add", b"-": "remove", b"": "replace"}


@define
class Asked:
    """The arguments."""

    numbers: Numbers
    how: Literal["add", "remove", "replace"]
    flags: Flags
    silent: bool
    uid: bool
    unchanged_since: int | None = None


def parse(reader: Reader, *, uid: bool) -> Asked:
    """SP sequence-set [SP store-modifiers] SP store-att-flags"""
    reader.space()
    numbers = reader.numbers()
    reader.space()
    unchanged_since = None
    if reader.peek() == b"(":
        unchanged_since = _read_modifiers(reader)
        reader.space()
    sign = b"+" if reader.take(b"+") else b"-" if reader.take(b"-") else b""
    name, _, silent = reader.word().partition(b".")
    if name != b"FLAGS" or silent not in (b"", b"SILENT"):
        raise BadCommand("FLAGS is expected")
    reader.space()
    flags = reader.flags_of_store()
    reader.end()
    return Asked(numbers, _HOW[sign], flags, bool(silent), uid, unchanged_since)


def _read_modifiers(reader: Reader) -> int:
    def read() -> int:
        if reader.word() != b"UNCHANGEDSINCE":
            raise BadCommand("There is no such modifier")
        reader.space()
        return reader.number64()

    values = reader.parenthesised(read)
    if len(values) != 1:
        raise BadCommand("Each modifier may stand once")
    return values[0]


async def run(session: Session, asked: Asked) -> Answer:
    """Change them in one unit; tell what is otherwise now."""
    selected = selected_of(session)
    before: tuple[bytes, ...] = ()
    if asked.unchanged_since is not None:
        before += enable_condstore(session, selected)
    slices = await targets(session, asked.numbers, uid=asked.uid)
    change = allowed_change(selected, asked)
    if not slices:
        return before
    view = selected.view
    slices, reached = last_of(view, slices, most(session))
    # What others changed at the same moment is told too, whatever the client says it knows (RFC 9051 §6.4.6).
    known = view.modseq
    done = await change_flags(selected, slices, change)
    places = _places(view, slices, done)
    gone = not asked.uid and len(places) + len(done.modified) < sum(end - start for start, end in slices)
    silent = asked.silent and done.previous == known and not gone
    silent = silent and change.allowed == ALL_FLAGS and change.keywords_allowed
    style = style_of(session.enabled)
    if reached is not None:
        places = places[::-1]  # RFC 9738 §3.1
    answers = untagged.modseqs(view, places, style) if silent else untagged.flags_of_all(view, places, style)
    told = b"".join((*selected.tell_flags(done.now), answers))
    code = b"MODIFIED " + _modified(selected, done, asked) if done.modified else None
    if gone:  # MODIFIED is told in a NO as well (RFC 7162 §3.1.3)
        limit = b"" if reached is None else reached.line
        return refused(b"".join((*before, told, limit)), Gone() if code is None else Gone(code))
    answer = Done((*before, told), code=code, text=None if code is None else "Some were changed")
    return answer if reached is None else reached.told_with(answer)


def _places(view: View, slices: Slices, done: FlagsChanged) -> Sequence[int]:
    """Where the messages are that were there and fulfilled UNCHANGEDSINCE."""
    one = len(slices) == 1
    places = range(*slices[0]) if one else [at for start, end in slices for at in range(start, end)]
    return places if len(places) == len(done.uids) else view.places(done.uids)


def _modified(selected: Selected, done: FlagsChanged, asked: Asked) -> bytes:
    """The messages that failed UNCHANGEDSINCE, as the client named them (RFC 7162 §3.1.3)."""
    if asked.uid:
        return render(ranges_of(done.modified))
    first = selected.view.before + 1
    return render(ranges_of(first + at for at in selected.view.places(done.modified)))


def allowed_change(selected: Selected, asked: Asked) -> FlagChange:
    """What of it the account may do (RFC 4314 §4).

    Raises: `NoRight` if it may change none of the flags that it names. Flags that it may not change are left alone.
    """
    allowed, keywords = (0, False) if selected.read_only else changeable(selected.folder.rights)
    wanted = bool(asked.flags.system & allowed) or (keywords and bool(asked.flags.keywords))
    nothing_named = not asked.flags.system and not asked.flags.keywords
    if not (wanted or ((nothing_named or asked.how == "replace") and (allowed or keywords))):
        raise NoRight("The mailbox is selected read-only" if selected.read_only else None)
    return FlagChange(
        how=asked.how,
        flags=asked.flags.system,
        keywords=asked.flags.keywords,
        unchanged_since=asked.unchanged_since,
        allowed=allowed,
        keywords_allowed=keywords,
        reader=selected.reader,
    )


STORE = Command(
    word=b"STORE", states=SELECTED, parse=partial(parse, uid=False), run=run, numbers=True, rfc="RFC 9051 §6.4.6"
)
UID_STORE = Command(word=b"UID STORE", states=SELECTED, parse=partial(parse, uid=True), run=run, rfc="RFC 9051 §6.4.9")
