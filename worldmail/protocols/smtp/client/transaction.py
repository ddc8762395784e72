"""One transaction: MAIL, RCPT, the content, and what became of each recipient (RFC 5321 §3.3).

With PIPELINING all commands go out at once and their replies are taken in order (RFC 2920 §3.1), else one after
another. The fates, by what was seen last:

- the reply to the end of the content, of each recipient in LMTP (RFC 2033 §4.2);
- a refusal of the recipient, of MAIL or of DATA;
- nothing: `UNKNOWN` if all that the peer needs to deliver had been sent, else `DEFERRED`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from attrs import evolve

from worldmail.interfaces.outbound import Fate, Outcome, Phase, RecipientFate, Shipment
from worldmail.protocols.smtp.client.answers import Answer
from worldmail.protocols.smtp.client.channel import Channel, Lost, nonsense
from worldmail.protocols.smtp.client.content import Unsendable, in_pieces, sound, whole
from worldmail.protocols.smtp.client.fitting import Fitted, fit
from worldmail.protocols.smtp.client.unfit import Unfit
from worldmail.wire.dots import END_OF_TEXT, stuff, stuff_bytes
from worldmail.wire.effects import Stream

WINDOW = 2
"""Chunks that may be on their way before the reply to the first of them came."""

_RSET = b"RSET\r\n"
_REFUSED = {
    Phase.MAIL: "The server refused the sender or the message",
    Phase.RCPT: "The server refused the recipient",
    Phase.DATA: "The server refused the message",
    Phase.CONTENT: "The server refused the message's content",
}
_UNKNOWN = "The connection ended when all was sent, before the server said whether it took the message"
_OURS = RecipientFate(
    fate=Fate.DEFERRED, status="4.3.0", phase=Phase.CONTENT, reason="The message could not be sent for an error here"
)


class Transaction:
    """One on its way. Made for one `run`."""

    __slots__ = ("_accepted", "_ahead", "_channel", "_fates", "_fitted", "_held_up", "_over", "_sent", "_shipment")

    def __init__(self, channel: Channel, shipment: Shipment) -> None:
        self._channel = channel
        self._shipment = shipment
        self._fates: list[RecipientFate | None] = [None] * len(shipment.envelope.recipients)
        self._fitted: Fitted | None = None
        self._accepted: list[int] = []  # whose RCPT the peer took
        self._sent = False  # the peer has, or will have, all that it needs
        self._ahead = False  # it was said before its turn came
        self._over = False  # nothing of it is to be said any more
        self._held_up: RecipientFate | None = None  # why the content came to no end

    async def run(self) -> Outcome:
        """Carry it through."""
        return await self._guarded(self._run)

    async def say_ahead(self) -> bool:
        """Say what can be said of it behind another that was said whole; False if its turn must come.

        That is all of it if it can go in one flight, else it ends with the recipients, or with DATA, which may stand
        in one group with the lone dot of the other (RFC 2920 §3.1). Nobody knows by then how the other ended: RSET
        makes sure that this one begins (RFC 5321 §4.1.1.5).
        """
        channel = self._channel
        if channel.over or not channel.capabilities.pipelining:
            return False
        await self._guarded(self._say_ahead)
        return self._ahead

    @property
    def sent(self) -> bool:
        """The peer has, or will have, all that it needs: only its replies are awaited."""
        return self._sent

    async def _run(self) -> None:
        if self._over:
            return
        fitted = await self._fit()
        if fitted.asked:
            await self._carry(fitted)

    async def _say_ahead(self) -> None:
        fitted = await self._fit()
        if not fitted.asked or self._channel.over:
            return
        self._ahead = True
        self._say_at_once(fitted, reset=True)

    async def _fit(self) -> Fitted:
        if self._fitted is None:
            self._fitted = await fit(self._channel, self._shipment)
            for place, fate in self._fitted.fates.items():
                self._fates[place] = fate
        return self._fitted

    async def _guarded(self, act: Callable[[], Awaitable[None]]) -> Outcome:
        """Whatever comes of it, the recipients that it ends for have fates."""
        channel = self._channel
        try:
            await act()
        except Unfit as unfit:
            self._over = True
            self._settle(unfit.fate)
        except Lost as lost:
            self._lose(lost)
            channel.drop(lost.reason)
        except Unsendable as fault:
            self._over = True
            self._give_up(_unsendable(fault))
        except Exception as error:  # noqa: BLE001  whatever it is, the recipients have fates
            self._over = True
            channel.means.journal.failure(
                "outbound.failed", error, session=channel.peer.session, message=self._shipment.id
            )
            self._give_up(_OURS)
        return self._outcome()

    def _give_up(self, fate: RecipientFate) -> None:
        """It cannot come to its end; if it was begun, neither can anything else on this connection."""
        self._settle(evolve(fate, fate=Fate.UNKNOWN) if self._sent else fate)
        if self._fitted is not None:
            self._channel.drop("the message could not be sent to its end")

    def lost(self, lost: Lost) -> Outcome:
        """Of one that cannot even be begun."""
        self._lose(lost)
        return self._outcome()

    def _outcome(self) -> Outcome:
        channel = self._channel
        return Outcome(
            fates=tuple(fate for fate in self._fates if fate is not None),
            dsn=channel.capabilities.dsn,
            server=channel.server,
            tls=channel.peer.tls,
            deliver_by=self._fitted is not None and self._fitted.deliver_by,
        )

    # --- what is said ------------------------------------------------------------------

    async def _carry(self, fitted: Fitted) -> None:
        """With all commands at once, or one after another."""
        channel = self._channel
        if channel.capabilities.pipelining:
            if not self._ahead:
                self._say_at_once(fitted, reset=channel.dirty)
            await self._hear_envelope(fitted)
        else:
            channel.transactions += 1
            await self._say_envelope(fitted)
            if not self._accepted:
                return
            self._put_end(fitted)
        if self._sent:
            await self._final()
        elif not channel.capabilities.chunking:
            await self._data(fitted)
        elif self._accepted:
            await self._chunks(fitted)

    def _say_at_once(self, fitted: Fitted, *, reset: bool) -> None:
        """All that needs no reply in front of it."""
        self._channel.transactions += 1
        self._channel.put(*((_RSET,) if reset else ()), *fitted.facts, *fitted.commands)
        self._put_end(fitted)

    def _flight(self, fitted: Fitted) -> bytes | None:
        """The content, if it is small enough to go with MAIL and RCPT, in one BDAT (RFC 3030 §4.2)."""
        channel, inline = self._channel, fitted.content.inline
        if not channel.capabilities.chunking or inline is None or len(inline) > channel.means.one_flight:
            return None
        return whole(inline, binary=fitted.binary)

    def _put_end(self, fitted: Fitted) -> None:
        """What can be said right behind the recipients."""
        flight = self._flight(fitted)
        if flight is not None:
            self._put_last_chunk(flight)
        elif not self._channel.capabilities.chunking:
            self._channel.put(b"DATA\r\n")

    def _put_last_chunk(self, text: bytes) -> None:
        self._channel.put(b"BDAT %d LAST\r\n" % len(text), text)
        self._sent = True

    async def _hear_envelope(self, fitted: Fitted) -> None:
        """The replies to RSET, MAIL and every RCPT."""
        channel = self._channel
        patience = channel.means.patience
        if channel.dirty or self._ahead:
            _take_reset(await channel.answer(Phase.MAIL, patience.mail))
        channel.dirty = True
        for _ in fitted.facts:
            await channel.answer(Phase.MAIL, patience.mail)
        self._take_mail(await channel.answer(Phase.MAIL, patience.mail))
        for place in fitted.asked:
            self._take_recipient(place, await channel.answer(Phase.RCPT, patience.recipient))

    async def _say_envelope(self, fitted: Fitted) -> None:
        """RSET, MAIL and RCPT, each when the one before was answered."""
        channel = self._channel
        patience = channel.means.patience
        commands = iter(fitted.commands)
        if channel.dirty:
            _take_reset(await channel.ask(_RSET, Phase.MAIL, patience.mail))
        channel.dirty = True
        for fact in fitted.facts:
            await channel.ask(fact, Phase.MAIL, patience.mail)
        if not self._take_mail(await channel.ask(next(commands), Phase.MAIL, patience.mail)):
            return
        for place, command in zip(fitted.asked, commands, strict=True):
            if not self._is_full(place):
                self._take_recipient(place, await channel.ask(command, Phase.RCPT, patience.recipient))

    async def _data(self, fitted: Fitted) -> None:
        """The reply to DATA, the text, the lone dot (RFC 5321 §4.1.1.4)."""
        channel = self._channel
        answer = await channel.answer(Phase.DATA, channel.means.patience.data)
        if answer.code != 354:
            if answer.code < 400:
                raise nonsense(answer)
            self._settle(_refusal(answer, Phase.DATA))
            return
        if not self._accepted:
            channel.put(END_OF_TEXT)  # nobody gets this, and nothing else ends it (RFC 2920 §3.1)
        elif fitted.content.inline is not None:
            channel.put(stuff_bytes(fitted.content.inline) + END_OF_TEXT)
            self._sent = True
        else:
            channel.put(Stream(self._text(fitted)))
        await self._final()
        channel.dirty = False

    async def _text(self, fitted: Fitted) -> AsyncIterator[bytes]:
        """The whole of it, dot-stuffed. What goes wrong is kept: the driver only drops the connection for it."""
        try:
            async for chunk in stuff(sound(fitted.content, binary=False)):
                yield chunk
        except Unsendable as fault:
            self._held_up = _unsendable(fault)
            raise
        except Exception:
            self._held_up = _OURS
            raise
        self._sent = True
        yield END_OF_TEXT

    async def _chunks(self, fitted: Fitted) -> None:
        """BDAT for piece after piece (RFC 3030 §2); some are on their way at a time, if the peer can have that."""
        channel = self._channel
        window = WINDOW if channel.capabilities.pipelining else 1
        unanswered = 0
        async for piece, last in in_pieces(sound(fitted.content, binary=fitted.binary)):
            if last:
                self._put_last_chunk(piece)
                window = 1
            else:
                channel.put(b"BDAT %d\r\n" % len(piece), piece)
                unanswered += 1
            while unanswered >= window:
                answer = await channel.answer(Phase.CONTENT, channel.means.patience.block)
                unanswered -= 1
                if answer.code // 100 != 2:
                    await self._refused_midway(answer, unanswered, last=last)
                    return
        await self._final()

    async def _refused_midway(self, answer: Answer, unanswered: int, *, last: bool) -> None:
        """A chunk was refused, so the message is; the replies to those behind it say nothing new (RFC 3030 §4.1)."""
        self._settle(_refusal(answer, Phase.CONTENT))
        if last:
            unanswered += len(self._accepted) if self._channel.hop.lmtp else 1
        for _ in range(unanswered):
            await self._channel.answer(Phase.CONTENT, self._channel.means.patience.block)

    # --- what is heard -------------------------------------------------------------------

    def _take_mail(self, answer: Answer) -> bool:
        """The reply to MAIL: False if it is a refusal, and so there is no transaction."""
        if answer.code // 100 == 2:
            return True
        self._channel.dirty = False
        self._settle(_refusal(answer, Phase.MAIL))
        return False

    def _take_recipient(self, place: int, answer: Answer) -> None:
        """The reply to RCPT."""
        if self._fates[place] is not None:
            return  # MAIL was refused
        kind = answer.code // 100
        if kind == 2:
            self._accepted.append(place)
            return
        again = bool(self._accepted) and _too_many(answer)
        self._fates[place] = _refusal(answer, Phase.RCPT, again=again)

    def _is_full(self, place: int) -> bool:
        """The peer takes no more recipients: whoever comes now goes with the next transaction."""
        if not self._accepted or place == 0:
            return False
        before = self._fates[place - 1]
        if before is None or not before.again or before.reply is None:
            return False
        self._fates[place] = before
        return True

    async def _final(self) -> None:
        """The reply to the end of the content, in LMTP one for each recipient that was accepted."""
        channel = self._channel
        accepted = self._accepted
        patience = channel.means.patience
        # Nobody gets it: that is settled, and an LMTP server has nothing to say then (RFC 2033 §4.2).
        seconds = patience.content if accepted else patience.goodbye
        if channel.hop.lmtp and accepted:
            for place in accepted:
                answer = await channel.answer(Phase.CONTENT, seconds)
                self._fates[place] = _end(answer)
        else:
            answer = await channel.answer(Phase.CONTENT, seconds)
            if accepted:
                fate = _end(answer)
                for place in accepted:
                    self._fates[place] = fate
        if answer.code // 100 == 2:
            channel.dirty = False

    def _settle(self, fate: RecipientFate) -> None:
        """The fate of all who have none."""
        self._fates = [fate if known is None else known for known in self._fates]

    def _lose(self, lost: Lost) -> None:
        """The conversation ended in the midst of it."""
        if self._held_up is not None:
            self._settle(self._held_up)
            return
        self._settle(_lost(lost, self._channel.phase, sent=self._sent))


def _take_reset(answer: Answer) -> None:
    """The reply to RSET."""
    if answer.code // 100 != 2:
        raise nonsense(answer)


def _end(answer: Answer) -> RecipientFate:
    """What the reply to the end of the content says."""
    code = answer.code
    if code // 100 == 2:
        reply = answer.as_reply()
        return RecipientFate(
            fate=Fate.DELIVERED, status=reply.enhanced or "2.0.0", phase=Phase.CONTENT, reply=reply, reason=""
        )
    return _refusal(answer, Phase.CONTENT)


def _refusal(answer: Answer, phase: Phase, *, again: bool = False) -> RecipientFate:
    """What a 4xx or 5xx reply says. Raises Lost for another, which fits nothing."""
    if answer.code < 400:
        raise nonsense(answer)
    reply = answer.as_reply()
    failed = answer.code >= 500 and not again
    status = reply.enhanced or ("5.0.0" if failed else "4.0.0")
    return RecipientFate(
        fate=Fate.FAILED if failed else Fate.DEFERRED,
        status="4" + status[1:] if again else status,
        phase=phase,
        reply=reply,
        reason=_REFUSED[phase],
        again=again,
    )


def _lost(lost: Lost, phase: Phase, *, sent: bool) -> RecipientFate:
    """Where no reply was seen; `sent`: the peer had all that it needs."""
    fate = Fate.UNKNOWN if sent and not lost.definite else Fate.DEFERRED
    reason = f"{_UNKNOWN}. {lost.reason}" if fate is Fate.UNKNOWN else lost.reason
    return RecipientFate(fate=fate, status=lost.status, phase=phase, reply=lost.reply, reason=reason)


def _too_many(answer: Answer) -> bool:
    """There is no room for more recipients; old servers say 552 (RFC 5321 §4.5.3.1.10)."""
    return answer.code in (452, 552) and answer.as_reply().enhanced in (None, "4.5.3", "5.5.3")


def _unsendable(fault: Unsendable) -> RecipientFate:
    return RecipientFate(fate=Fate.FAILED, status="5.6.0", phase=Phase.CONTENT, reason=str(fault))
