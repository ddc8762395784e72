"""What is made out of contents and can always be made anew: summaries, and the index that searching asks.

    asked ──► memory ──► derived.sqlite ──► made now from the content ──► memory, derived.sqlite
    behind delivery, when it is quiet: contents that are new ──► derived.sqlite

Theory of operation

The truth is in the main database, whose contents never change. What is derived of them lies apart, in a file beside the
embedded store (on PostgreSQL in tables of the same database), is not synced, and can be thrown away at any time. So a
write to it may fail, and what it does not have is made again: that costs time, never an answer. The file says which
store it belongs to, and knows no content later than the store does, or it is begun anew.

The index. IMAP searches for substrings, an index has terms (`worldmail.mail.text.tokens`). The postings (which contents
have a term) are an FTS5 table without contents and positions; the vocabulary of all terms has an index of its own, by
their trigrams. A needle is cut into fragments of terms; the vocabulary gives the terms that a fragment lies in, the
postings their contents. A needle within one term is thereby answered; one over several has its candidates read.

Measured on generated mail (1.5 KB a message, words by Zipf's law), sizes by that of the text: trigrams of the text
itself 0.82 (and 220 us a message; its answers are no proof, so each has to be read), words with positions 0.82, words
with columns 0.54, words alone 0.26; words of header and body and of four fields apart, told by a mark in front of the
term (`places`), 0.29 in one table. The vocabulary takes 0.14, its trigrams 0.11.

Exact, however far the index is: contents that it does not have are read. It is filled behind delivery (`filler`), in
slices on the reactor's thread for what is Python, and in a thread for what is SQLite: a thread that runs Python makes
the reactor wait for the interpreter's lock after each of its system calls.
"""

from worldmail.store.derived.opening import Derived, derived_here, open_derived

__all__ = ["Derived", "derived_here", "open_derived"]
