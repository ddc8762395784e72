"""Errors that carry what the wire needs.

Every refusal that a peer may see is a `Refusal`: an SMTP reply code, an
enhanced status code (RFC 3463), one sentence for the peer and, apart from it,
the private reason for the log. Services raise them; only a protocol's session
turns them into replies. The sentence never names our paths, the versions of
libraries or the inside of a policy.

The reply code says which kind it is: 4xx temporary, 5xx permanent. Protocols
without such codes (POP3, IMAP, LDAP) go by the class of the exception.
"""

from __future__ import annotations

from typing import ClassVar


class WorldMailError(Exception):
    """The root of every error that WorldMail raises on purpose."""


class ConfigurationError(WorldMailError):
    """The configuration is wrong; the text names file, line and what was expected."""


class SchemaTooNew(WorldMailError):
    """The database was made by a later release than this one (nothing was touched)."""


class Refusal(WorldMailError):
    """Something a peer asked for is refused.

    Args:
        text: the sentence for the peer (ASCII, no line ends); the class's own if None.
        reason: what only the log may know.
        code: an SMTP reply code other than the class's.
        enhanced: an enhanced status code other than the class's; its first digit
            equals the reply code's (RFC 2034 §3).
    """

    code: ClassVar[int] = 550
    enhanced: ClassVar[str] = "5.0.0"
    text: ClassVar[str] = "Refused"

    def __init__(
        self,
        text: str | None = None,
        *,
        reason: str | None = None,
        code: int | None = None,
        enhanced: str | None = None,
    ) -> None:
        self.reply_text = self.text if text is None else text
        self.reply_code = self.code if code is None else code
        self.reply_enhanced = self.enhanced if enhanced is None else enhanced
        self.reason = reason
        super().__init__(f"{self.reply_code} {self.reply_enhanced} {self.reply_text}")

    @property
    def temporary(self) -> bool:
        """True if the same request may succeed later."""
        return self.reply_code < 500


class TemporaryFailure(Refusal):
    """Something of ours is not working now: database locked, resource short."""

    code = 451
    enhanced = "4.3.0"
    text = "Temporary failure, please try again later"


class StorageFull(Refusal):
    """No space left for new mail (RFC 3463 X.3.1)."""

    code = 452
    enhanced = "4.3.1"
    text = "Insufficient storage, please try again later"


class TooManyRequests(Refusal):
    """A rate or a number of connections was exceeded."""

    code = 421
    enhanced = "4.7.0"
    text = "Too many requests from your address, please try again later"


class AuthenticationFailed(Refusal):
    """The credentials are wrong, or there is no such account: never said which (RFC 4954 §6)."""

    code = 535
    enhanced = "5.7.8"
    text = "Authentication credentials invalid"


class AuthenticationDelayed(Refusal):
    """Too many failed logins lately; nothing was verified (RFC 4954 §4.7.1: 454)."""

    code = 454
    enhanced = "4.7.0"
    text = "Temporary authentication failure"


class NoSuchRecipient(Refusal):
    """The address is in one of our domains and leads nowhere."""

    code = 550
    enhanced = "5.1.1"
    text = "No such mailbox here"


class RecipientGone(Refusal):
    """A mailbox is gone since its address was taken.

    Temporary, though it will not come back: one reply speaks for all recipients. The client sends the message
    again and learns of each of them at RCPT (RFC 5321 §4.2.5).
    """

    code = 451
    enhanced = "4.3.0"
    text = "A recipient was removed meanwhile, please try again"


class TakenElsewhere(Refusal):
    """A recipient of a message that a relay hands over has it since a moment ago, by another session.

    Temporary: the relay's next attempt is told at RCPT which of them have it.
    """

    code = 451
    enhanced = "4.3.0"
    text = "Another session has taken this message, please try again"


class RelayDenied(Refusal):
    """The recipient is elsewhere and this client may not send there through us."""

    code = 550
    enhanced = "5.7.1"
    text = "Relaying denied"


class NotPermitted(Refusal):
    """A policy refuses it (RFC 3463 X.7.1)."""

    code = 550
    enhanced = "5.7.1"
    text = "Not permitted"


class OverQuota(Refusal):
    """The mailbox is full (RFC 3463 X.2.2); 552 5.2.2 where the site wants it permanent.

    Attributes:
        accounts: whose share of what was to be stored is too much, where that is known.
    """

    accounts: frozenset[int] = frozenset()

    code = 452
    enhanced = "4.2.2"
    text = "Mailbox is full"


class MessageTooLarge(Refusal):
    """The message exceeds a fixed limit (RFC 1870 §6.2)."""

    code = 552
    enhanced = "5.3.4"
    text = "Message exceeds the size limit"


class MailLoop(Refusal):
    """Too many hops (RFC 5321 §6.3)."""

    code = 554
    enhanced = "5.4.6"
    text = "Too many hops, mail is looping"


class MalformedMessage(Refusal):
    """The content breaks a rule that we hold to, such as a bare CR or LF."""

    code = 550
    enhanced = "5.6.0"
    text = "Message content is malformed"


class MailboxInUse(Refusal):
    """Another session holds the maildrop (RFC 1939 §4, RFC 2449 §8.1.1)."""

    code = 450
    enhanced = "4.2.0"
    text = "Mailbox is in use by another session"


class LoginTooSoon(Refusal):
    """The account may log in only so often (RFC 2449 §8.1.1 LOGIN-DELAY)."""

    code = 450
    enhanced = "4.7.0"
    text = "Minimum time between logins has not passed"


class NoSuchThing(WorldMailError):
    """An administrator named a domain, account or address that does not exist."""


class AlreadyThere(WorldMailError):
    """An administrator adds what exists already."""


class BadValue(WorldMailError):
    """An administrator gave a value that cannot be right; the text says what was expected."""


class NoSuchMailbox(Refusal):
    """There is no mailbox of this name, or the account may not know of it (RFC 4314 §6: told alike)."""

    code = 550
    enhanced = "5.1.1"
    text = "No such mailbox"


class MailboxExists(Refusal):
    """A mailbox of this name is there already."""

    code = 550
    enhanced = "5.2.0"
    text = "There is a mailbox of that name"


class BadName(Refusal):
    """No mailbox can have this name; the text says why (RFC 9051 §5.1)."""

    code = 550
    enhanced = "5.1.3"
    text = "No mailbox can have this name"


class UseNotOffered(Refusal):
    """No mailbox here can be for this (RFC 6154 §3: USEATTR)."""

    code = 550
    enhanced = "5.5.0"
    text = "Mailboxes cannot be for this here"


class NoRight(Refusal):
    """The account knows of the mailbox and may not do this there (RFC 4314 §4)."""

    code = 550
    enhanced = "5.7.1"
    text = "You do not have the right to do this"


class MessageGone(Refusal):
    """The message was expunged meanwhile."""

    code = 550
    enhanced = "5.6.0"
    text = "The message is gone"


class LimitReached(Refusal):
    """A fixed bound on something that is kept: mailboxes, keywords, annotations."""

    code = 552
    enhanced = "5.3.4"
    text = "A limit is reached"


class AnnotationTooLarge(LimitReached):
    """An annotation's value exceeds its bound (RFC 5464 §4.3)."""

    text = "The annotation is too large"


class TooManyAnnotations(LimitReached):
    """The mailbox has as many annotations as it may (RFC 5464 §4.3)."""

    text = "There are too many annotations"


class SearchTooLong(TemporaryFailure):
    """A search did not end in the time that it may take."""

    text = "The search takes too long"


class NotAUrl(Refusal):
    """Not the URL of a message, or not one that can be used here (RFC 5092)."""

    code = 554
    enhanced = "5.5.4"
    text = "The IMAP URL of a message is expected"


class UrlNotAuthorised(Refusal):
    """The URL does not let who shows it see what it names, whether that is there or not (RFC 4467 §6)."""

    code = 554
    enhanced = "5.7.0"
    text = "IMAP URL authorization failed"


class UrlOfAnother(Refusal):
    """A URL without authorisation that names another server or another user (RFC 4468 §6)."""

    code = 554
    enhanced = "5.7.8"
    text = "URL resolution requires trust relationship"


class UrlNotResolved(Refusal):
    """What the URL names is not there (any more) (RFC 4468 §6)."""

    code = 554
    enhanced = "5.6.6"
    text = "IMAP URL resolution failed"
