"""A report in octets: multipart/report (RFC 6522) of what happened to recipients of a message (RFC 3464)."""

from __future__ import annotations

import hashlib
import re
from email.header import Header as EncodedHeader

from worldmail.mail.dates import date_time
from worldmail.mail.dsn.fields import needs_utf8, status_fields
from worldmail.mail.dsn.originals import Part, header_alone, id_of, part_header, subject_of, whole
from worldmail.mail.dsn.rules import returned
from worldmail.mail.dsn.values import Notice, Report
from worldmail.mail.dsn.wording import cleaned
from worldmail.mail.dsn.words import text, title
from worldmail.mail.envelope import Body, Return
from worldmail.mail.mime.encoders import quoted_printable

MOST_HAPPENINGS = 1000
"""Recipients that one report may speak of."""

_ID = re.compile(r"[!-;=?A-~]+@[!-;=?A-~]+")  # no angle bracket, no space
_HOST = re.compile(r"[A-Za-z0-9.-]{1,255}")
_SUBJECT = 120  # characters of the original's subject
_BODIES = (Body.SEVEN_BIT, Body.EIGHT_BIT, Body.BINARY)


def compose(notice: Notice) -> Report:
    """The report to send.

    Raises: ValueError if there is nothing to report, or too much for one report, or our own names are malformed.
    """
    if not 0 < len(notice.happenings) <= MOST_HAPPENINGS:
        raise ValueError(f"a report is on 1 to {MOST_HAPPENINGS} recipients")
    if _ID.fullmatch(notice.message_id) is None or _HOST.fullmatch(notice.host) is None:
        raise ValueError("a malformed name of our own")
    original = notice.original
    how = returned(
        original.envelope.returns,
        (happening.action for happening in notice.happenings),
        size=original.size,
        limit=notice.full_limit,
    )
    last = whole(original) if how is Return.FULL else header_alone(original.header)
    given_back = None if last is None else how
    subject = cleaned(subject_of(original.header), 2 * _SUBJECT)
    parts = [_for_people(text(notice, subject, given_back)), _for_programs(notice)]
    if last is not None:
        parts.append(last)
    body = max((part.body for part in parts), key=_BODIES.index)
    boundary = _boundary(notice)
    delimiter = f"\r\n--{boundary}\r\n".encode()
    head = _header(notice, subject, boundary, body)
    head += b"".join([delimiter + part.header + part.content for part in parts])
    return Report(
        head=head,
        original=given_back,
        tail=f"\r\n--{boundary}--\r\n".encode(),
        body=body,
        smtputf8=not notice.to.is_ascii,
        to=notice.to,
    )


def _header(notice: Notice, subject: str, boundary: str, body: Body) -> bytes:
    lines = [
        f"From: Mail Delivery System <MAILER-DAEMON@{notice.host}>",
        f"To: <{notice.to}>",
        _subject(f"{title(notice)}: {cleaned(subject, _SUBJECT) or '(no subject)'}"),
        f"Date: {date_time(notice.at)}",
        f"Message-ID: <{notice.message_id}>",
        "Auto-Submitted: auto-replied",  # RFC 3834 §5
    ]
    about = id_of(notice.original.header)
    if about is not None:
        lines += [f"In-Reply-To: {about}", f"References: {about}"]  # RFC 3834 §3.1.6
    lines += [
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        f'\tboundary="{boundary}"',
    ]
    if body is not Body.SEVEN_BIT:
        lines.append(f"Content-Transfer-Encoding: {'8bit' if body is Body.EIGHT_BIT else 'binary'}")  # RFC 2045 §6.4
    return "\r\n".join([*lines, "", "This is a report on delivery, in MIME format (RFC 6522).", ""]).encode()


def _subject(value: str) -> str:
    """The field, folded; in encoded words if it must be (RFC 2047)."""
    charset = "us-ascii" if value.isascii() else "utf-8"
    # What looks like an encoded word and could not be decoded is text here too.
    value = value.replace("=?", "= ?") if value.isascii() else value
    folded = EncodedHeader(value, charset, maxlinelen=76, header_name="Subject").encode(linesep="\r\n")
    return f"Subject: {folded}"


def _for_people(words: str) -> Part:
    content = words.replace("\n", "\r\n").encode()
    if content.isascii():
        return Part(
            part_header("text/plain; charset=us-ascii", "What happened", Body.SEVEN_BIT), content, Body.SEVEN_BIT
        )
    header = part_header("text/plain; charset=utf-8", "What happened", None)
    return Part(header, quoted_printable(content), Body.SEVEN_BIT)


def _for_programs(notice: Notice) -> Part:
    """The status: in UTF-8 if the sender's side knows it and an address asks for it (RFC 6533 §4.4)."""
    utf8 = notice.original.envelope.smtputf8 and any(map(needs_utf8, notice.happenings))
    content = status_fields(notice, utf8=utf8)
    body = Body.EIGHT_BIT if utf8 else Body.SEVEN_BIT
    kind = "message/global-delivery-status" if utf8 else "message/delivery-status"
    return Part(part_header(kind, "Technical report", body), content, body)


def _boundary(notice: Notice) -> str:
    """Nobody who could have put it into the message knew the Message-ID."""
    digest = hashlib.sha256(f"{notice.message_id} {notice.at}".encode()).hexdigest()
    return f"=_report_{digest[:32]}"
