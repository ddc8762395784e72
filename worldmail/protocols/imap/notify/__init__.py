"""NOTIFY (RFC 5465): a client says what it wants to be told of, at any time, in which mailboxes.

`request` reads what it says; a `Watch` knows what the client was told, hears of changes from the change feed and gives
the untagged responses that tell of them. What is told of the selected mailbox is made by its view and only chosen here.
"""
