"""The answer for one message whose octets are not in the database: sent while they are read, a chunk at a time.

What lies in the message's own header, or begins or ends with it, is found in its beginning. For sections of its parts
all of it is read once, to find them; it is not kept while the client takes them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

from worldmail.errors import Refusal, WorldMailError
from worldmail.mail.mime.fields import MAXIMUM_HEADER, header_end
from worldmail.mail.mime.part import Part
from worldmail.mail.mime.scan import scan
from worldmail.mail.mime.surrogates import Patches, grown, pieces_between
from worldmail.mail.transfer_encoding import says_binary
from worldmail.protocols.imap.fetch.batch import Batch
from worldmail.protocols.imap.fetch.extents import Piece, of_header, of_parts
from worldmail.protocols.imap.fetch.plan import Plan
from worldmail.protocols.imap.fetch.sections import Extent
from worldmail.protocols.imap.view.selected import Selected

PIECE = 64 * 1024

TREES = 4
"""Large messages of which a session knows where their parts are."""

Read = Callable[[int, int], AsyncIterator[bytes]]


class TornAnswer(WorldMailError):
    """The octets of a literal that was begun cannot be had: nothing but the end of the connection can tell that."""


async def large_answer(plan: Plan, batch: Batch, selected: Selected) -> AsyncIterator[bytes]:
    """The answer for the one message of a batch."""
    uid, ((size, is_binary),) = batch.uids[0], batch.large

    def as_kept(start: int, end: int) -> AsyncIterator[bytes]:
        chunks: AsyncIterator[bytes] = selected.messages.read(selected.id, uid, start, end - start)
        return chunks

    read: Read = as_kept
    head = await beginning(read, size)
    body = header_end(head, 0, len(head))
    if is_binary or says_binary(head[:body]):
        chunks = selected.messages.read(selected.id, uid)  # to its end: the size is that of another form of it
        batch.raws, batch.is_binary = [b"".join([chunk async for chunk in chunks])], True
        if plan.surrogates is not None:
            await plan.surrogates.replace(batch)
        yield plan.render(batch)
        return
    extents = [item.extent for item in plan.items if item.extent is not None]
    if plan.surrogates is not None:
        patches = await plan.surrogates.patches(uid, head[:body], partial(_whole, read, size))
        if patches:
            read, size = patched_read(read, patches), size + grown(patches)
            head = await beginning(read, size)
            body = header_end(head, 0, len(head))
    if all(extent.of_message for extent in extents):
        pieces = of_header(extents, head, body, size)
    else:
        pieces = await _of_parts(extents, selected, uid, lambda: _whole(read, size))
    del head
    async for chunk in _rendered(plan, batch, pieces, read):
        yield chunk


def patched_read(read: Read, patches: Patches) -> Read:
    """The same of the message with these patches."""

    async def patched(start: int, end: int) -> AsyncIterator[bytes]:
        for piece in pieces_between(patches, start, end):
            if isinstance(piece, bytes):
                yield piece
                continue
            async for chunk in read(*piece):
                yield chunk

    return patched


async def _of_parts(
    extents: Sequence[Extent], selected: Selected, uid: int, whole: Callable[[], Awaitable[bytes]]
) -> dict[bytes, Piece]:
    """The pieces; the message is read only if its parts are not known yet, or its octets are needed to tell.

    Clients take large parts in many small portions, one FETCH each.
    """
    octets, root = b"", selected.trees.get(uid)
    if root is None or not all(extent.by_offsets for extent in extents):
        octets = await whole()
        root = await _scanned(octets, selected)
        selected.trees.pop(uid, None)
        while len(selected.trees) >= TREES:
            del selected.trees[next(iter(selected.trees))]
        selected.trees[uid] = root
    return of_parts(extents, octets, root)


async def _scanned(octets: bytes, selected: Selected) -> Part:
    """The tree of a message, which may have very many parts."""
    root: Part = await selected.aside(lambda: scan(octets))
    return root


async def _rendered(plan: Plan, batch: Batch, pieces: dict[bytes, Piece], read: Read) -> AsyncIterator[bytes]:
    waiting = b"* %d %b (" % (batch.numbers[0], plan.word)
    for at, item in enumerate(plan.items):
        if at:
            waiting += b" "
        if item.extent is None:
            waiting += item.form % tuple(column[0] for column in item.columns(batch))
            continue
        piece = pieces[item.extent.label]
        waiting += piece.front
        if piece.start < piece.end:
            async for chunk in _read_out(piece, read):
                yield waiting + chunk if waiting else chunk
                waiting = b""
    yield waiting + (plan.beside(batch)[0] if plan.sees else b"") + b")\r\n"


async def _read_out(piece: Piece, read: Read) -> AsyncIterator[bytes]:
    """The octets of a piece. Once the first of them are out there is no way back."""
    begun = False
    chunks = read(piece.start, piece.end)
    try:
        async for chunk in chunks if piece.code is None else piece.code(chunks):
            for at in range(0, len(chunk), PIECE):
                begun = True
                yield chunk[at : at + PIECE]
    except Refusal as refusal:
        if begun:
            raise TornAnswer(str(refusal)) from refusal
        raise


async def beginning(read: Read, size: int) -> bytes:
    """The header, and what came with it."""
    head = b""
    async for chunk in read(0, min(size, MAXIMUM_HEADER)):
        head += chunk
        if header_end(head, 0, len(head)) < len(head):
            break
    return head


async def _whole(read: Read, size: int) -> bytes:
    return b"".join([chunk async for chunk in read(0, size)])
