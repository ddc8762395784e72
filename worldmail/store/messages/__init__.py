"""The messages of mailboxes, as IMAP works with them.

Theory of operation

A message's row never changes; its flags, keywords and MODSEQ are a row of `mark`, which is there once they were ever
set, and which it shares with its neighbours that were changed with it and look alike: to mark all as read is one row
(`marks`). Every unit that changes a mailbox locks its row first (on a server; the embedded engine has one writer), so
each later statement sees what is committed, whatever runs beside it, and a unit has one new MODSEQ for each mailbox it
changes, higher than any before. Several mailboxes are locked in the order of (account, mailbox), as acceptance does,
then accounts and domains for their quotas.

Sets of UIDs are ranges and stay ranges: they go into a statement as a table of values, so that a change of
thousands of messages is a handful of statements (`asked`). What each message's flags become is worked out in Python,
once for every state that occurs.
"""

from worldmail.store.messages.messages import Messages

__all__ = ["Messages"]
