"""Units of work on a PostgreSQL server that many machines share.

    reactor   read, write ──► Tasks ──► a thread of the pool, on its own connection:
                                        BEGIN, the unit, its notices, COMMIT ──► results, in one turn
    watch     one more connection: maildrop locks, and every 100 ms a look at the end of the table `change`

Theory of operation

A unit runs in one of a few threads, each with a connection of its own, in a transaction of its own: here the
engine itself lets commits share a sync, and a transaction of many units would hold the locks of all of them and meet
those of other nodes in every order. Reads see one moment (REPEATABLE READ, READ ONLY). Writes are SERIALIZABLE,
so whatever runs beside them on any node, what is committed is as if they had run one after another; a unit that
would break that is run again. A unit marked `Shared` runs READ COMMITTED and waits where another would be run again.

What can go wrong. A conflict (serialization failure, deadlock) and a connection that was
lost before COMMIT was sent: nothing was kept, the unit is run again, so and so often. While the server cannot be
reached, units wait for as long as `busy_timeout`, then they fail temporarily. If the connection is lost while a
COMMIT is under way, nobody knows what became of it: the unit fails temporarily, is not run again and never
acknowledged. A unit that broke a constraint is run once more before its caller hears of it: the row that was in the
way may have come with a unit beside it.

Numbers of changes. A sequence gives them out before the commit, so a lower one may turn up after a higher one. The
feed therefore keeps the numbers below the highest that it has not seen, and looks for each of them until the
transactions that were under way when it was first missed are over (`pg_snapshot_xmin`): then it was rolled back.
That a unit has its transaction id before it takes a number makes this sound. No lock is held for it, NOTIFY is not
needed, and nothing is ever told that was not committed.
"""
