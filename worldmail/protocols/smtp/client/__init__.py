"""SMTP and LMTP as a client (RFC 5321, RFC 2033), without I/O.

Theory of operation. A `ClientDialogue` is both: to the driver of its connection an `IDialogue`, whose events are the
peer's whole replies (`answers`), to the queue an `IConversation` that carries one transaction after another. What is
said when is written down as coroutines that read from top to bottom: `opening` (greeting, EHLO, STARTTLS, `login`)
and `transaction`. They `put` effects into their `Channel` and await its next `answer`; all else that they await
is a Deferred of whoever gave the content, and waits in the driver's turn like any other. Nothing else has
states: where a coroutine stands is the state, and what goes wrong is an exception that arrives there (`Lost`).

Before a transaction is begun, `fitting` settles whether this peer can take this message, and how: what has to be
converted, which parameters go along, which recipients cannot go. With PIPELINING a small message takes one
write and one round trip: MAIL, RCPT, BDAT LAST and the octets (RFC 2920 §3.1, RFC 3030 §4.2); without CHUNKING two.
Of several that are given at once the next is said behind the end of the one before, as far as it can be: whole
messages one behind the other, or, without CHUNKING, up to DATA, so that each takes one round trip more than its octets.
"""
