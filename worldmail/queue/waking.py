"""Wake-up mail: a message to an address that a hold names releases it.

The address leads nowhere else, and the message is kept in no mailbox. It counts if one of the hold's accounts was
signed in when it was sent, or if it has the right word (`wire.wake_words`): in its Subject behind "wake", else as the
first line of its text. Only that one word is looked at. A message that does not count is refused at the end of its
data, so that nobody is told of it but who sent it; the unit that accepts one that counts writes down that its token was
used.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from worldmail.database.statuses import Statuses
from worldmail.errors import Refusal
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.holds import Hold
from worldmail.interfaces.queue import IParcel, IRoutes
from worldmail.interfaces.store import Acceptance, ITrace, Onward, StagedContent
from worldmail.interfaces.world import IClock, IJournal
from worldmail.mail.address import Address
from worldmail.mail.header import Header
from worldmail.queue.releasing import Releasing
from worldmail.queue.rows import note_orphan
from worldmail.wire.flat_json import FlatJson
from worldmail.wire.wake_words import judge

LOOKED_AT = 32 * 1024
"""Octets of a message in which the word is looked for."""

STATUS = Statuses("hold")
WOKEN = "woken"
"""The key of a hold's status that has the seconds of the last token that was used: only later ones count."""

_LONGEST = 256
_to_json = FlatJson(ascii=False).render


class NotWoken(Refusal):
    """It does not prove that it may."""

    code = 550
    enhanced = "5.7.1"
    text = "Not allowed to wake this queue"


class WokenTooOften(Refusal):
    """Not now."""

    code = 450
    enhanced = "4.7.1"
    text = "This queue was asked for too often, please try again later"


def wake_word(content: bytes) -> str:
    """The word of a message; "" if it has none."""
    head, _, body = content[:LOOKED_AT].partition(b"\r\n\r\n")
    subject = (Header(head + b"\r\n").first(b"subject") or b"").decode("utf-8", "replace")
    word = _behind_wake(subject)
    if word is None:
        first = next((line for line in body.split(b"\r\n", 32) if line.strip()), b"").partition(b"\r\n")[0]
        line = first.decode("utf-8", "replace").strip()
        word = _behind_wake(line) or line
    return word if len(word) <= _LONGEST else ""


def _behind_wake(text: str) -> str | None:
    parts = text.split(maxsplit=1)
    return parts[1].strip() if len(parts) == 2 and parts[0].lower() == "wake" else None


@frozen
class Woken:
    """A hold that a message may release: for which address, and the seconds of its token, 0 if it has none."""

    hold: Hold
    address: Address
    seconds: int


@define(kw_only=True, eq=False)
class Waking:
    """Judges wake-up messages, and does what they ask for."""

    database: IDatabase
    releasing: Releasing
    routes: IRoutes
    trace: ITrace
    clock: IClock
    journal: IJournal

    def parcel(self, acceptance: Acceptance, waking: Sequence[Onward], rest: IParcel | None) -> IParcel:
        """The part of this acceptance that wakes; `rest` is what of it goes on. Raises `NotWoken`, `WokenTooOften`."""
        woken = list(self._judged(acceptance, [one.recipient.address for one in waking]))
        try:
            if not woken:
                raise NotWoken
            able = tuple([one for one in woken if not self.releasing.too_often(one.hold)])
            if not able:
                raise WokenTooOften
        except Refusal as refusal:
            self.refused(acceptance, woken, refusal)
            if rest is not None:
                rest.dropped()
            raise
        return WakingParcel(waking=self, acceptance=acceptance, woken=able, rest=rest)

    def _judged(self, acceptance: Acceptance, addresses: Sequence[Address]) -> list[Woken]:
        """What it may release."""
        content, account = acceptance.content, acceptance.origin.account
        inline = content.inline if isinstance(content, StagedContent) else None
        word = None if inline is None else wake_word(inline)
        key = None if account is None else Address.parse(account).key
        found = []
        for address in addresses:
            for hold in self.routes.triggers.waking.get(address.key, ()):
                seconds = 0 if key in hold.accounts else None
                if seconds is None and word and hold.wake_secret:
                    seconds = judge(word, hold.wake_secret, hold.wake, self.clock.now())
                if seconds is not None:
                    found.append(Woken(hold, address, seconds))
        return found

    def pull(self, acceptance: Acceptance, woken: Sequence[Woken]) -> None:
        """The message is accepted: release them."""
        Deferred.fromCoroutine(self._release(acceptance, woken)).addErrback(partial(self._failed, acceptance))

    async def _release(self, acceptance: Acceptance, woken: Sequence[Woken]) -> None:
        for one in woken:
            client = acceptance.origin.client
            said = f"released by the wake-up message {acceptance.id} from {client}"
            messages = await self.releasing.let_go(one.hold, None, said)
            told = f"the hold {one.hold.name} is released, {messages} message{'' if messages == 1 else 's'}"
            await self.database.write(partial(self._trace, acceptance, one, told))
            self._tell(acceptance, one.hold, messages=messages)

    def _trace(self, acceptance: Acceptance, one: Woken, told: str, cursor: Cursor) -> None:
        detail = _to_json({"to": [str(one.address)], "said": told})
        self.trace.record(cursor, acceptance.id, int(self.clock.now()), "woke", (), detail)

    def _failed(self, acceptance: Acceptance, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, Refusal):
            self.refused(acceptance, (), error)
        elif error is not None:
            self.journal.failure("release.failed", error, trigger="wake", acceptance=acceptance.id)

    def refused(self, acceptance: Acceptance, woken: Sequence[Woken], refusal: Refusal) -> None:
        """Leave a record of it."""
        self._tell(acceptance, woken[0].hold if woken else None, refused=refusal.reason or refusal.reply_text)

    def _tell(self, acceptance: Acceptance, hold: Hold | None, **fields: object) -> None:
        self.journal.record(
            "release",
            session=acceptance.origin.session,
            acceptance=acceptance.id,
            trigger="wake",
            client=acceptance.origin.client,
            account=acceptance.origin.account,
            hold=None if hold is None else hold.name,
            **fields,
        )


@implementer(IParcel)
@define(kw_only=True, eq=False)
class WakingParcel:
    """The part of an acceptance that wakes holds. What the last call of `add` found is what counts."""

    waking: Waking
    acceptance: Acceptance
    woken: tuple[Woken, ...]
    rest: IParcel | None
    shared: bool = field(default=False, init=False)
    _fresh: list[Woken] = field(factory=list, init=False)
    _used: bool = field(default=False, init=False)

    def add(self, cursor: Cursor, content_id: int) -> None:
        """See `IParcel.add`. Raises `NotWoken` if all tokens were used before."""
        self._fresh = [one for one in self.woken if _use(cursor, one)]
        self._used = not self._fresh
        if self._used:
            raise NotWoken(reason="the token was used before")
        if self.rest is not None:
            self.rest.add(cursor, content_id)
        elif not self.acceptance.deliveries:
            note_orphan(cursor, content_id, int(self.waking.clock.now()))

    def accepted(self) -> None:
        """See `IParcel.accepted`."""
        if self.rest is not None:
            self.rest.accepted()
        self.waking.pull(self.acceptance, self._fresh)

    def dropped(self) -> None:
        """See `IParcel.dropped`."""
        if self.rest is not None:
            self.rest.dropped()
        if self._used:
            self.waking.refused(self.acceptance, self.woken, NotWoken(reason="the token was used before"))


def _use(cursor: Cursor, one: Woken) -> bool:
    """A token counts once, and none counts that is older than one that was used."""
    if not one.seconds:
        return True
    last = STATUS.find(cursor, one.hold.name).get(WOKEN, "0")
    if last.isdecimal() and int(last) >= one.seconds:
        return False
    STATUS.change(cursor, one.hold.name, {WOKEN: str(one.seconds)})
    return True
