"""Agents that ask for mail by a message: they write it, and our own queue sends it like any other."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError
from zope.interface import implementer

from worldmail.errors import BadValue, Refusal, WorldMailError
from worldmail.interfaces.directory import IDirectory, LocalAccount
from worldmail.interfaces.expansion import Expanded, IExpansion
from worldmail.interfaces.ondemand import Agent, AgentKind, IErrand, Result, Wrong
from worldmail.interfaces.store import Acceptance, IAcceptance, IContentWriter, StagedContent
from worldmail.interfaces.world import IClock
from worldmail.mail.address import Address
from worldmail.mail.dates import date_time
from worldmail.mail.envelope import Envelope, Origin, Recipient
from worldmail.wire.wake_words import make_token

_TEXT = "This message was written by a program, and is for one: it asks for the mail that waits for us.\r\n"


@implementer(IErrand)
@frozen(kw_only=True)
class WakeErrand:
    """Provides `IErrand`.

    Args:
        host: our own name.
    """

    acceptance: IAcceptance
    directory: IDirectory
    expansion: IExpansion
    clock: IClock
    host: str
    kind: AgentKind = AgentKind.WAKE

    async def run(self, agent: Agent) -> Result:
        """See `IErrand.run`: done when the message is accepted here."""
        try:
            sender, recipient, expanded = await self._parties(agent)
            id_ = await self._write(agent, sender, recipient, expanded)
        except CancelledError:
            return Result(ok=False, words="stopped")
        except WorldMailError as error:
            return Result(ok=False, words=_words(error))
        return Result(ok=True, words=f"the message {id_} to {recipient.address} is on its way")

    async def test(self, agent: Agent) -> list[str]:
        """See `IErrand.test`."""
        try:
            sender, recipient, _ = await self._parties(agent)
        except CancelledError:
            return [Wrong("stopped")]
        except WorldMailError as error:
            return [Wrong(_words(error))]
        proof = "no secret"
        if agent.values["secret"]:
            proof = "the secret itself" if agent.values["plain"] else "a token"
        return [f"a message from {sender} to {recipient.address} would be sent, with {proof}"]

    async def _parties(self, agent: Agent) -> tuple[Address, Recipient, Expanded]:
        """Who it is from and for, and where it goes. Raises what is wrong with them."""
        sender: Address = agent.values["sender"]
        known = await self.directory.resolve(sender)
        if not any(isinstance(each, LocalAccount) for each in known.destinations):
            raise BadValue(f"the sender {sender} is no address of this server")
        recipient = Recipient(address=agent.values["address"])
        resolution = await self.directory.resolve(recipient.address)
        return sender, recipient, await self.expansion.expand(recipient, resolution, sender)

    async def _write(self, agent: Agent, sender: Address, recipient: Recipient, expanded: Expanded) -> str:
        acceptance: Any = self.acceptance
        id_: str = acceptance.new_id()
        content = self._text(agent, id_, sender, recipient.address)
        await acceptance.accept(
            Acceptance(
                id=id_,
                received=int(self.clock.now()),
                envelope=Envelope(sender=sender, recipients=(recipient,)),
                origin=Origin(session=f"agent {agent.name}", protocol="agent", client="127.0.0.1"),
                content=await self._staged(content),
                deliveries=expanded.deliveries,
                message_id=f"<{id_}@{self.host}>",
                unrepeatable=True,
                onward=expanded.onward,
            )
        )
        return id_

    def _text(self, agent: Agent, id_: str, sender: Address, address: Address) -> bytes:
        now, secret = self.clock.now(), agent.values["secret"]
        word = secret if agent.values["plain"] or not secret else make_token(secret, address.key, now)
        fields = (
            f"Date: {date_time(int(now))}",
            f"From: <{sender}>",
            f"To: <{address}>",
            f"Message-ID: <{id_}@{self.host}>",
            f"Subject: wake {word}".rstrip(),
            "Auto-Submitted: auto-generated",  # RFC 3834 §5
        )
        return ("\r\n".join(fields) + "\r\n\r\n" + _TEXT).encode()

    async def _staged(self, content: bytes) -> StagedContent:
        writer: IContentWriter = self.acceptance.writer()
        try:
            writer.write(content)
            staged: StagedContent = await writer.finish()
        except BaseException:
            writer.abort()
            raise
        return staged


def _words(error: WorldMailError) -> str:
    return error.reason or error.reply_text if isinstance(error, Refusal) else str(error)
