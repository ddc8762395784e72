"""What is made out of contents and can always be made anew: summaries, and the index that searching asks.

    asked ──► memory ──► derived.sqlite ──► made now from the content ──► memory, derived.sqlite
    behind delivery, once nothing comes for a moment: summaries of what is new ──► memory, derived.sqlite
    behind delivery, when it is quiet: contents that are new ──► derived.sqlite

Theory of operation

The truth is in the main database, whose contents never change. What is derived of them lies apart, in a file beside the
embedded store (on PostgreSQL in tables of the same database), is not synced commit by commit, and can be thrown away at
any time. So a write to it may fail, and what it does not have is made again: that costs time, never an answer. The file
says which store it belongs to, knows no content later than the store does, and the last ones that it knows have the
store's digests, or it is begun anew.

The index. IMAP searches for substrings, an index has terms (`worldmail.mail.text.tokens`). The postings (which contents
have a term) are an FTS5 table without contents and positions; the vocabulary of all terms has an index of its own, by
their trigrams. A needle is cut into fragments of terms; the vocabulary gives the terms that a fragment lies in, the
postings their contents. A needle within one term is thereby answered; one over several has its candidates read.
It is asked on the reactor's thread: some tenths of a millisecond, where the way through a thread and back costs as much
again. What may take long, and what turns out to, is asked in a thread.

Measured on 6,000 generated messages (1.5 KB each, words by Zipf's law, ids that nothing else has), sizes by that of the
text: trigrams of the text itself 0.82 (and 220 us a message; its answers are no proof, so each has to be read), words
with positions 0.82, words with columns 0.54, words alone 0.26; words of header and body and of four fields apart, told
by a mark in front of the term (`places`), 0.29 in one table. As it is, with 9,000 messages: postings 0.31, the
vocabulary with its index 0.23, its trigrams 0.12, summaries 0.44. The vocabulary of a language is soon complete: with
3,000 messages these were 0.42, 0.44, 0.23. To look a term up in the postings instead of the vocabulary's own index
saves half of that, and took 390 us a message instead of 30.

Exact, however far the index is: contents that it does not have are read. It is filled behind delivery (`filler`), in
slices on the reactor's thread for what is Python, and in a thread for what is SQLite: a thread that runs Python makes
the reactor wait for the interpreter's lock after each of its system calls.
"""

from worldmail.store.derived.opening import Derived, derived_here, open_derived

__all__ = ["Derived", "derived_here", "open_derived"]
