"""A selected mailbox as one session was told it is.

A client reckons in message sequence numbers, which only mean something relative to what it was told. So a session
does not look at the mailbox, but at its view: so many messages (`total`), all UIDs below `uidnext`, all changes up to
`modseq`. Of the messages themselves a view holds a *suffix* only, as far back as was needed until now. SELECT loads
nothing, a FETCH of the last 50 of a million loads 50.

Loading late is exact, because UIDs are never used again and every removal is kept with its MODSEQ: the messages of a
view are those below `uidnext` that are in the mailbox now, and those that were removed after `modseq`. The first is
read first and the second then, so that what is removed in between is seen once at least, and being a set, counted once.

`pull` asks once what changed after `modseq` and turns the answer into untagged data, part by part if it is much: what
arrived and what went is known at once then, and told as `pending` or in numbers; what flags changed is the `rest`, of
which each part takes some. Between two parts the view is what the client was told, so any command may come. Removals
may be told only where no message sequence number is in flight (RFC 9051 §7.5.1); until then they are `pending`: gone
from the mailbox, and in the view.
"""
