"""The messages that a command names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worldmail.errors import NoRight
from worldmail.interfaces.messages import Uids
from worldmail.mail.numbers import Numbers
from worldmail.protocols.imap.replies import BadCommand, UidRequired
from worldmail.protocols.imap.view.selected import Selected
from worldmail.protocols.imap.view.view import Slices

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session


def selected_of(session: Session) -> Selected:
    """The selected mailbox, in the state that has one."""
    selected = session.selected
    assert isinstance(selected, Selected)
    return selected


async def targets(session: Session, numbers: Numbers, *, uid: bool) -> Slices:
    """The messages of a set of sequence numbers or UIDs; they are loaded then.

    Raises: `BadCommand` if there is no message of a sequence number (RFC 9051 §9, at seq-number). A UID that is not
    there is passed over (§6.4.9).
    """
    selected = selected_of(session)
    view = selected.view
    if not uid and "UIDONLY" in session.enabled:
        raise UidRequired  # whatever it names: the answers would have sequence numbers (RFC 9586 §3)
    if numbers.saved:  # RFC 5182 §2.1
        return await _by_uid(selected, session.saved_result or ())
    if uid:
        if numbers.star:
            await selected.load_last(1)
        highest = view.uids[-1] if numbers.star and view.total else view.uidnext - 1
        return await _by_uid(selected, numbers.clipped(highest) if view.total else ())
    if numbers.beyond(view.total):
        raise BadCommand("There is no message of such a number")
    ranges = numbers.clipped(view.total)
    await selected.load_numbers(ranges)
    return view.by_number(ranges)


async def _by_uid(selected: Selected, uids: Uids) -> Slices:
    await selected.load_uids(uids)
    return selected.view.by_uid(uids)


def need(selected: Selected, right: str) -> None:
    """Raises `NoRight` if the account may not do what takes this right here (RFC 4314 §4)."""
    if not selected.may(right):
        raise NoRight("The mailbox is selected read-only" if selected.read_only else None)
