"""FETCH (RFC 9051 §6.4.5): what is asked for, what that takes, and the answers.

An item is one thing that FETCH can give of a message. `items` has a row for each; `parse` makes a `Plan` of what a
client asks for. A plan knows what its items need from the store, and asks for it once for a batch of messages. Each
item gives columns, one value a message; the answers are one format string over the rows of all columns. So what is
done for each message is done by loops in C.

A batch is as large as answers of some 256 KiB need, and the next one is not begun before they were taken: a slow reader
costs one batch. Messages whose octets are not in the database are sent while they are read, a chunk at a time.
"""
