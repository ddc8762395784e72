"""The part for people: what happened, to whom, what they can do, and what the other server said (RFC 6522 §3)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from worldmail.mail.dates import date_time
from worldmail.mail.dsn.advice import advice
from worldmail.mail.dsn.fields import status_of
from worldmail.mail.dsn.values import Action, Happening, Notice
from worldmail.mail.dsn.wording import as_written, cleaned
from worldmail.mail.envelope import Return

MOST_SHOWN = 50
"""Recipients of one kind that are named; the part for programs has them all."""

_WIDTH = 72
_MOST_SAID = 800
_EXPIRED = "4.4.7"  # RFC 3463 §3.5: of what goes on being tried, it says only that it takes long
_TIME_IS_OVER = (_EXPIRED, "5.4.7")
_SO_FAR = "It could not be delivered so far."

_ORDER = (Action.FAILED, Action.DELAYED, Action.DELIVERED, Action.RELAYED, Action.EXPANDED)
_TITLES = {
    Action.FAILED: "Not delivered",
    Action.DELAYED: "Delayed",
    Action.DELIVERED: "Delivered",
    Action.RELAYED: "Passed on",
    Action.EXPANDED: "Sent on to several addresses",
}
_MEANINGS = {
    Action.FAILED: "The message did not arrive here, and we have stopped trying:",
    Action.DELAYED: "The message has not arrived here yet. We keep trying, and you need not send it again:",
    Action.DELIVERED: "The message has arrived here:",
    Action.RELAYED: "The message was handed to a server that does not confirm deliveries. You will hear of it "
    "only if that server reports a failure:",
    Action.EXPANDED: "The message was sent on to all the addresses that this one stands for. You will hear of them "
    "only if one of them fails:",
}


def title(notice: Notice) -> str:
    """What the subject begins with: the gravest thing that happened."""
    happened = {happening.action for happening in notice.happenings}
    return _TITLES[next(action for action in _ORDER if action in happened)]


def text(notice: Notice, subject: str, returned: Return | None) -> str:
    """The whole text with LFs; lines are short but for words that are not.

    Args:
        subject: of the original, for people; "" if it has none.
    """
    blocks = [_filled(f"This is the mail system at {notice.host}."), *_introduction(notice, subject)]
    for action in _ORDER:
        found = [happening for happening in notice.happenings if happening.action is action]
        if found:
            blocks += _section(action, found)
    blocks += _closing(notice, returned)
    return "\n\n".join(blocks) + "\n"


def _introduction(notice: Notice, subject: str) -> list[str]:
    original = notice.original
    shown = [f"    Subject:   {subject or '(none)'}", f"    Received:  {date_time(original.arrived)}"]
    if original.envelope.sender is None:
        begin = (
            "You get this as the postmaster. The message below has no return address, as reports and automatic "
            "answers have none, so that nobody else can be told of it."
        )
    else:
        shown.insert(1, f"    From:      {original.envelope.sender}")
        begin = "This report is about a message that was sent in your name:"
        if original.envelope.sender != notice.to:
            begin = "You get this as the postmaster. The sender of the message below cannot be told of it:"
    return [_filled(begin), "\n".join(shown)]


def _section(action: Action, happenings: Sequence[Happening]) -> list[str]:
    heading = _TITLES[action].upper()
    blocks = [f"{heading}\n{'-' * len(heading)}", _filled(_MEANINGS[action])]
    blocks += [
        "\n".join([*(_address(one) for one in members), *_explanation(members[0])])
        for members in _alike(happenings[:MOST_SHOWN])
    ]
    if len(happenings) > MOST_SHOWN:
        more = len(happenings) - MOST_SHOWN
        blocks.append(_filled(f"And {more} more, which the technical part of this report names."))
    if action is Action.FAILED:
        helps = dict.fromkeys(_help(one) for one in happenings[:MOST_SHOWN])
        blocks.append("What you can do:\n" + "\n".join(_filled(one, "  * ", "    ") for one in helps))
    return blocks


def _help(happening: Happening) -> str:
    return advice(status_of(happening), answered=happening.reply is not None).help


def _alike(happenings: Iterable[Happening]) -> list[list[Happening]]:
    """Those of which the same is to be said, together."""
    found: dict[tuple[object, ...], list[Happening]] = {}
    for one in happenings:
        found.setdefault((one.reason, status_of(one), one.server, one.reply, one.retry_until), []).append(one)
    return list(found.values())


def _address(happening: Happening) -> str:
    shown = f"  <{as_written(str(happening.recipient.address))}>"
    original = happening.recipient.original
    if original is None or original.address.lower() == str(happening.recipient.address).lower():
        return shown
    return f"{shown}\n      (first sent to {cleaned(original.address, 400)})"


def _explanation(happening: Happening) -> list[str]:
    lines: list[str] = []
    if happening.action in (Action.FAILED, Action.DELAYED):
        lines += [_filled(sentence, "      ") for sentence in _reasons(happening)]
    if happening.retry_until is not None and happening.action is Action.DELAYED:
        lines.append(_filled(f"We keep trying until {date_time(happening.retry_until)}.", "      "))
    server = cleaned(happening.server or "", 255)
    said = cleaned(happening.reply or "", _MOST_SAID)
    if said:
        lines.append(_filled(f"The server {server} said:" if server else "The other server said:", "      "))
        lines.append(_filled(said, "        > "))
    elif server:
        lines.append(_filled(f"Server: {server}", "      "))
    return lines


def _reasons(happening: Happening) -> list[str]:
    """Why: what was found, and of what was tried for so long that too."""
    meaning, reason = _meaning(happening), cleaned(happening.reason)
    if reason and reason != meaning and happening.action is Action.FAILED and status_of(happening) in _TIME_IS_OVER:
        return [meaning, f"At the last attempt: {reason}"]
    return [reason or meaning]


def _meaning(happening: Happening) -> str:
    """What its status means to people."""
    status = status_of(happening)
    return _SO_FAR if status == _EXPIRED and happening.action is Action.DELAYED else advice(status).meaning


def _closing(notice: Notice, returned: Return | None) -> list[str]:
    behind = "Behind this text follows a technical part"
    if returned is not None:
        whole = "your message" if returned is Return.FULL else "the header of your message"
        behind += f", and {whole}" if notice.original.envelope.sender is not None else ", and the message"
    return [
        "--",
        _filled(f"{behind}. If you need help, forward all of it to <postmaster@{notice.host}>."),
    ]


def _filled(sentence: str, first: str = "", others: str | None = None) -> str:
    return textwrap.fill(
        sentence,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=first if others is None else others,
        break_long_words=True,
        break_on_hyphens=False,
    )
