"""Whether something is reported, and what becomes of the wishes when mail goes on to other addresses (RFC 3461)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import evolve, frozen

from worldmail.mail.address import Address
from worldmail.mail.dsn.values import Action
from worldmail.mail.envelope import Notify, Recipient, Return

NotifyWishes = frozenset[Notify] | None
"""NOTIFY of a recipient; None if nothing was said."""

_UNSAID = frozenset({Notify.FAILURE, Notify.DELAY})  # §4.1
_WISHED = {
    Action.FAILED: Notify.FAILURE,
    Action.DELAYED: Notify.DELAY,
    Action.DELIVERED: Notify.SUCCESS,
    Action.RELAYED: Notify.SUCCESS,
    Action.EXPANDED: Notify.SUCCESS,
}


def is_reported(notify: NotifyWishes, action: Action, *, null_sender: bool, taken_over: bool = False) -> bool:
    """True if a report on this is due.

    Args:
        null_sender: the message came from "<>": nothing is ever reported on it (§5.2).
        taken_over: the next server took the wishes with the message: reporting success is its matter (§5.2.1), and
            ours where it does not know them (§5.2.2 (b)).
    """
    if null_sender or (taken_over and action is Action.RELAYED):
        return False
    wishes = _UNSAID if notify is None else notify
    # NEVER stands alone (§4.1); beside other words it is the one that harms nobody.
    return Notify.NEVER not in wishes and _WISHED[action] in wishes


def goes_without_sender(notify: NotifyWishes) -> bool:
    """True if this recipient is better sent to from "<>", in a transaction of its own, where nobody knows the wishes.

    NEVER can only be said so there (§5.2.2).
    """
    return notify is not None and Notify.NEVER in notify


@frozen(kw_only=True)
class Forwarding:
    """What a message goes on with from one of our addresses to others.

    Attributes:
        recipients: the addresses it goes to, with their wishes.
        keeps_envelope: ENVID and RET go with it; if not, there are none.
        report: what is to be reported of the address itself now; None for nothing.
    """

    recipients: tuple[Recipient, ...]
    keeps_envelope: bool
    report: Action | None


def forwarded(recipient: Recipient, targets: Sequence[Address], *, null_sender: bool) -> Forwarding:
    """An alias or a forward, which keeps the sender.

    To a single address everything is passed on and nothing reported (§5.2.7.2). To several it is case (c) of
    §5.2.7.3: everything but SUCCESS is passed on, and who asked for that is told "expanded". None of the targets is a
    copy that stays here: that is a delivery of its own, for `recipient` itself.
    """
    if len(targets) == 1:
        return Forwarding(recipients=(evolve(recipient, address=targets[0]),), keeps_envelope=True, report=None)
    notify = recipient.notify
    if notify is not None:
        notify = notify - {Notify.SUCCESS} or frozenset({Notify.NEVER})
    due = is_reported(recipient.notify, Action.EXPANDED, null_sender=null_sender)
    return Forwarding(
        recipients=tuple(evolve(recipient, address=target, notify=notify) for target in targets),
        keeps_envelope=True,
        report=Action.EXPANDED if due else None,
    )


def distributed(recipient: Recipient, targets: Iterable[Address], *, null_sender: bool) -> Forwarding:
    """A list, or a forward that is nobody's business: mail goes on from a sender of its own.

    Nothing is passed on; the message is delivered, as far as its sender is concerned (§5.2.7.1, §5.2.7.4). For packages
    that keep lists: the addresses that the directory has are aliases, all of them `forwarded`.
    """
    due = is_reported(recipient.notify, Action.DELIVERED, null_sender=null_sender)
    return Forwarding(
        recipients=tuple(Recipient(address=target) for target in targets),
        keeps_envelope=False,
        report=Action.DELIVERED if due else None,
    )


def returned(wish: Return | None, actions: Iterable[Action], *, size: int, limit: int) -> Return:
    """How much of a message its report gives back (§4.3, §6.2).

    The whole of it only with failures, unless only the header was wished or it is larger than `limit` octets.
    """
    failed = Action.FAILED in actions
    return Return.FULL if failed and wish is not Return.HEADERS and size <= limit else Return.HEADERS
