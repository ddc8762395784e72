"""BDAT: the message in counted chunks (RFC 3030 §2).

Whatever is wrong with the command, the octets that it announces are read and dropped
to the last one, and only then answered: none of them is ever a command. If the size
cannot be read, nobody knows where commands begin again, and the connection ends.
"""

from __future__ import annotations

from worldmail.errors import Refusal
from worldmail.mail.envelope import Body
from worldmail.protocols.smtp.chunks import ChunkInspector
from worldmail.protocols.smtp.grammar import Chunk, parse_chunk
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import COMMAND_STATES, State
from worldmail.protocols.smtp.transaction import Transaction
from worldmail.protocols.smtp.transfer import Transfer
from worldmail.protocols.smtp.verbs.data import no_recipients, open_intake
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


def _parse(argument: bytes) -> Chunk | Refusal:
    try:
        return parse_chunk(argument)
    except Refusal as refusal:
        return refusal


async def run(session: Session, chunk: Chunk | Refusal) -> Effects:
    """Take the chunk, or drop it."""
    if isinstance(chunk, Refusal):
        return session.refuse_for_good(chunk, "BDAT without a size")
    transfer = Transfer(None, chunk=chunk)
    transaction = session.transaction
    if session.state is State.NEW:
        transfer.refusal = Refusal("Send EHLO first", code=503, enhanced="5.5.1")
    elif transaction is None:
        transfer.refusal = Refusal("Send MAIL first", code=503, enhanced="5.5.1")
    elif not transaction.count:
        transfer.refusal = no_recipients()
    else:
        transfer = chunk_transfer(session, transaction, chunk)
    session.receive_text(transfer)
    return ()


def chunk_transfer(session: Session, transaction: Transaction, chunk: Chunk) -> Transfer:
    """Takes one chunk of the message, the first or a further one."""
    if transaction.intake is None:
        transaction.intake = open_intake(session, transaction)
        if transaction.arguments.body is not Body.BINARY:
            transaction.inspector = ChunkInspector(session.entrance.settings.text_line)
    return Transfer(transaction.intake, chunk=chunk, inspector=transaction.inspector, transaction=transaction)


BDAT = Command(
    word=b"BDAT",
    states=COMMAND_STATES,
    parse=_parse,
    run=run,
    capability=lambda session: ("CHUNKING", "BINARYMIME"),  # RFC 3030 §2, §3
    rfc="RFC 3030 §2",
)
