"""How a command ends: what its verb gave, what is new in the mailbox, and the tagged reply (RFC 9051 §7.1, §7.5.1)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from worldmail.errors import AuthenticationDelayed, AuthenticationFailed, Refusal
from worldmail.protocols.imap.parser import Fault
from worldmail.protocols.imap.piecemeal import Progress, parts
from worldmail.protocols.imap.replies import BAD_REFUSALS, AccountChanged, response_code, tagged, untagged
from worldmail.protocols.imap.rows import Answer, Done, Silence, State
from worldmail.protocols.imap.view.untagged import style_of
from worldmail.wire.effects import Close, Effects, Stream

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session

# tag = 1*<any ASTRING-CHAR except "+"> (RFC 9051 §9)
_TAG = re.compile(rb"[^\x00-\x20(){%*\"\\+\x7f-\xff]+ ")

# Whoever asks for what is not to be had here, or not now, guesses nothing by that.
_GUESSES = (*BAD_REFUSALS, AuthenticationFailed, AuthenticationDelayed)


async def finish(session: Session, answer: Answer | Silence) -> Effects:
    """What the verb gave, what is new, the tagged OK."""
    if isinstance(answer, Silence):
        return answer.effects
    if session.state is not State.NOT_AUTHENTICATED:
        session.errors = 0
    if isinstance(answer, Done):
        done: Done | None = answer
        effects, after = answer.effects, answer.after
    else:
        done, effects, after = None, answer, ()
    for effect in effects:
        if type(effect) is Stream:
            return (Stream(_streamed(session, effects, done)), *after)
    if session.has_news:
        progress, expunges = Progress.of(session), _may_expunge(session, done)
        news = await news_of_done(session, expunges=expunges)
        if progress.goes_on(expunges=expunges):
            return (Stream(_streamed(session, (*effects, b"".join(news)), done)), *after)
        effects = (*effects, *news)
    return (*effects, _ok(session, done), *after)


async def _streamed(session: Session, effects: Effects, done: Done | None) -> AsyncIterator[bytes]:
    """The same, where the answer is made while it is sent. What is new comes after it."""
    reply, expunges = b"", False
    try:
        try:
            for effect in effects:
                if isinstance(effect, Stream):
                    async for chunk in effect.chunks:
                        yield chunk
                elif isinstance(effect, bytes):
                    yield effect
            expunges = _may_expunge(session, done)
        except AccountChanged:
            raise
        except Refusal as refusal:
            reply = _reply(session, refusal)
        # Behind a refusal as well: what was told before it may have a MODSEQ beyond what was withheld (RFC 7162 §3.2).
        async for part in parts(session, partial(news_of_done, session), expunges=expunges):
            yield part
        yield reply or _ok(session, done)
    except AccountChanged as refusal:
        session.leave()
        session.ending = "account changed"
        yield untagged(b"BYE", refusal.reply_text)
    finally:
        session.work = None


async def news_of_done(session: Session, *, expunges: bool) -> Sequence[bytes]:
    """What is new. What cannot be looked at now is told another time: the command was done, and is not refused."""
    try:
        return await session.news(expunges=expunges)
    except AccountChanged:
        raise
    except Refusal:
        return () if session.selected is None else session.selected.tell_whole(style_of(session.enabled))


def _may_expunge(session: Session, done: Done | None) -> bool:
    """May it be told what was expunged (RFC 9051 §7.5.1)?"""
    return not (session.command.numbers or (done is not None and done.numbers))


def _ok(session: Session, done: Done | None) -> bytes:
    word = session.command.word
    code = None if done is None else done.code() if callable(done.code) else done.code
    if done is None or done.text is None:
        if code is None:
            return b"%s OK %s completed\r\n" % (session.tag, word)
        return b"%s OK [%s] %s completed\r\n" % (session.tag, code, word)
    return tagged(session.tag, b"OK", done.text, code)


def refuse(session: Session, refusal: Refusal) -> Effects:
    """The tagged NO or BAD, and the end of the connection if there were too many."""
    session.drop_sinks()
    if isinstance(refusal, AccountChanged):
        return end(session, untagged(b"BYE", refusal.reply_text), "account changed")
    reply = _reply(session, refusal)
    before_login = session.state is State.NOT_AUTHENTICATED
    if not isinstance(refusal, _GUESSES if before_login else BAD_REFUSALS):
        return (reply,)
    session.errors += 1
    most = session.settings.errors_before_login if before_login else session.settings.errors
    if most and session.errors >= most:
        return (reply, *end(session, untagged(b"BYE", "Too many errors"), "too many errors"))
    return (reply,)


def _reply(session: Session, refusal: Refusal) -> bytes:
    kind = b"BAD" if isinstance(refusal, BAD_REFUSALS) else b"NO"
    return tagged(session.tag, kind, refusal.reply_text, response_code(refusal))


def misframed(session: Session, fault: Fault) -> Effects:
    """A line that is none. It may have announced a literal, so what follows could be anything: the end."""
    text = "The line is too long" if fault is Fault.TOO_LONG else "Lines end in CRLF and hold no NUL"
    tag = None if session.expecting is not None else _TAG.match(session.parser.begun())
    said = b"" if tag is None else tagged(tag[0][:-1], b"BAD", text)
    return (said, *end(session, untagged(b"BYE", text), fault.value))


def end(session: Session, reply: bytes, reason: str) -> Effects:
    """The last words. Everything is given back now: the client may be back before its connection is gone."""
    session.leave()
    return (reply, Close(reason))
