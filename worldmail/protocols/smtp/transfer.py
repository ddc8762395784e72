"""The content of one DATA or BDAT command, while it comes.

Whatever goes wrong, reading goes on to the end that the framing gives, so that no
octet of a message is ever read as a command; what went wrong is the reply at that end.
"""

from __future__ import annotations

from attrs import define

from worldmail.errors import MalformedMessage, MessageTooLarge, Refusal
from worldmail.protocols.smtp.chunks import ChunkInspector
from worldmail.protocols.smtp.grammar import Chunk
from worldmail.protocols.smtp.intake import Intake
from worldmail.protocols.smtp.parser import Text
from worldmail.protocols.smtp.priorities import told
from worldmail.protocols.smtp.replies import reply
from worldmail.protocols.smtp.transaction import Transaction
from worldmail.wire.faults import Fault

_SENTENCES = {
    Fault.BARE_CR: "Message content has a bare CR",
    Fault.BARE_LF: "Message content has a bare LF",
    Fault.NUL: "Message content has a NUL octet",
    Fault.TOO_LONG: "Message content has a line that is too long",
}


@define(eq=False)
class Transfer:
    """Takes what a command's content brings.

    Args:
        intake: where it goes; None where it is dropped: there is a refusal, or nobody left who has not got it.
        refusal: why it is dropped; the reply at the end.
        chunk: the BDAT command, None for DATA.
        inspector: looks at the lines of chunks; None for DATA (the framing looks) and for BINARYMIME.
        transaction: whose content it is; None where it is dropped.
    """

    intake: Intake | None
    refusal: Refusal | None = None
    chunk: Chunk | None = None
    inspector: ChunkInspector | None = None
    transaction: Transaction | None = None

    @property
    def completes(self) -> bool:
        """True if its end is the end of the message."""
        return self.chunk is None or self.chunk.last

    async def take(self, text: Text) -> None:
        """The next piece. Waits if the store is behind; raises nothing, but keeps the refusal."""
        intake = self.intake
        if intake is None or self.refusal is not None:
            return
        try:
            self._write(intake, text)
            if intake.behind():
                await intake.caught_up()
        except Refusal as refusal:
            self.refusal = refusal
            intake.abort()

    async def end(self) -> bytes:
        """All of it is here: the reply. Raises the refusal, if there is one."""
        refusal = self.refusal
        if isinstance(refusal, MessageTooLarge) and refusal.reply_text == refusal.text and self.transaction is not None:
            raise self.transaction.too_large()
        if refusal is not None:
            raise refusal
        if not self.completes:
            assert self.chunk is not None
            return reply(250, "2.0.0", f"{self.chunk.size} octets received")
        if self.intake is None:
            return reply(250, "2.0.0", "Ok, it is here already")
        await self.intake.finish()
        if self.intake.lowered is not None:
            return reply(250, "2.3.6", f"{told(self.intake.lowered)}: {self.intake.id}")  # RFC 6710 §4.1
        return reply(250, "2.0.0", f"Ok {self.intake.id}")

    def _write(self, intake: Intake, text: Text) -> None:
        fault = text.fault
        inspector = self.inspector
        if inspector is not None:
            inspector.feed(text.octets)
            if text.finished and self.completes:
                inspector.finish()
            fault = inspector.fault
        if fault is not None:
            raise MalformedMessage(_SENTENCES[fault])
        intake.write(text.octets)
        if inspector is not None and text.finished and self.completes and not inspector.ends_line:
            intake.write(b"\r\n")
