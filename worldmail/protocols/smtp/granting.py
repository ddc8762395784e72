"""What is granted of what MAIL asked for, and what of it EHLO announces."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from worldmail.errors import Refusal
from worldmail.interfaces.outbound import Wishes
from worldmail.protocols.smtp.asked import Asked, DeliverBy, Hold
from worldmail.protocols.smtp.priorities import Priorities, told
from worldmail.protocols.smtp.replies import SENDER_OK, reply
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.transaction import Transaction

_HOUR = 3600


def priorities_of(session: Session) -> Priorities:
    """Which priority this client's mail may have now."""
    entrance = session.entrance
    return Priorities(asker=session.asker, trusted=entrance.trusted, lowest=entrance.settings.lowest_priority)


def grant(session: Session, transaction: Transaction, asked: Asked) -> bytes:
    """Set what the transaction may have of it; the reply to MAIL.

    Raises: `Refusal`, for what is not offered here, or goes beyond what is announced.
    """
    if asked.require_tls and session.peer.tls is None:
        # The parameter is only there in TLS (RFC 8689 §2); this reply says what to do (RFC 3207 §4).
        raise Refusal("REQUIRETLS needs TLS, send STARTTLS first", code=530, enhanced="5.7.0")
    now = math.ceil(session.entrance.world.clock.now())
    if asked.hold is not None:
        transaction.not_before = _release(session, asked.hold, now)
    by = asked.deliver_by
    if by is not None:
        _check_time(session, by, transaction.not_before - now)
    given = None if asked.priority is None else priorities_of(session).granted(asked.priority)
    transaction.wishes = Wishes(
        require_tls=asked.require_tls,
        deliver_by=None if by is None else (now + by.seconds, by.mode),
        trace_by=by is not None and by.trace,
        priority=given,
        release=None if asked.hold is None else asked.hold.text,
    )
    if given is None or given == asked.priority:
        return SENDER_OK
    return reply(250, "2.3.6", told(given))  # RFC 6710 §4.1


def announced(session: Session) -> Iterator[str]:
    """The capabilities."""
    entrance = session.entrance
    settings = entrance.settings
    yield "DSN"  # RFC 3461 §4
    shortest = int(settings.deliver_by_minimum)
    yield f"DELIVERBY {shortest}" if shortest else "DELIVERBY"  # RFC 2852 §2
    yield f"MT-PRIORITY {settings.priority_policy}" if settings.priority_policy else "MT-PRIORITY"  # RFC 6710 §7
    if session.peer.tls is not None:
        yield "REQUIRETLS"  # RFC 8689 §2
    longest = _longest_hold(session)
    if longest:
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(_last_release(session, longest)))
        yield f"FUTURERELEASE {longest} {until}"  # RFC 4865 §3


def _longest_hold(session: Session) -> int:
    """Seconds; 0 if nothing is held for this client: RFC 4865 is for submission alone."""
    return int(session.entrance.settings.future_release) if session.entrance.submission else 0


def _last_release(session: Session, longest: int) -> int:
    """The last moment that HOLDUNTIL may name: to the hour before, so that what is announced is the same for a while.

    It never comes earlier again: what was announced is not taken back.
    """
    last = int(session.entrance.world.clock.now()) + longest
    return last - last % _HOUR if longest > _HOUR else last


def _release(session: Session, hold: Hold, now: int) -> int:
    """The moment of release; `now` is the next full second, so that it is never too early (RFC 4865 §4.2)."""
    longest = _longest_hold(session)
    if not longest:
        raise Refusal("Parameter not recognized or not implemented", code=555, enhanced="5.5.4")
    if hold.seconds is not None:
        until, too_late = now + hold.seconds, hold.seconds > longest
    else:
        assert hold.until is not None
        until, too_late = hold.until, hold.until > _last_release(session, longest)
    if too_late:
        raise Refusal("The message would be held for longer than is announced", code=501, enhanced="5.5.4")
    if until <= now:
        raise Refusal("The time of release has passed", code=501, enhanced="5.5.4")
    return until


def _check_time(session: Session, by: DeliverBy, held: int) -> None:
    """Is there time enough? Where lateness is only told of there always is (RFC 2852 §4), unless it is held so long."""
    if by.mode == "R" and by.seconds < session.entrance.settings.deliver_by_minimum:
        raise Refusal("The time to deliver is shorter than is announced", code=555, enhanced="5.5.4")
    if held > 0 and by.seconds <= held:  # RFC 4865 §5.2.2
        raise Refusal("The message is to be delivered before its release", code=501, enhanced="5.5.4")
