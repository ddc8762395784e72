"""Units of work on one database, committed in groups: the embedded engine.

`worldmail.database.postgres` is the other engine, and opens with its own theory.

    reactor   write(unit) ──► waiting ──► run statements ─┐                 ┌─► notices, results
                                                          │                 │   in one turn
    thread                                                └──► COMMIT ──────┘
                                                              (WAL, fsync)

Theory of operation

A unit of work is a plain function of a cursor. `write` puts it in a queue; once in a turn of the reactor everything
that waits is run in one transaction, and committed with one fsync. A unit that fails takes back what it did and nothing
else: the group is rolled back and run again with a savepoint around each unit, and so are the next groups for a while.
Results and notices of change leave only after the COMMIT: first the notices, then the results, so whoever awaits a
write finds every cache of this process told. A unit may be run more than once, so it has no effect outside its cursor.

Who runs what. One connection writes. The statements of a group run on the reactor's thread, only its COMMIT goes to
the writer's thread, and units that arrive meanwhile are the next group; the connection changes hands with them, and
never has two users. The obvious shape, a thread that runs everything, pays for the interpreter lock: each
`sqlite3_step` gives it up and has to win it back from a busy reactor. Measured on two cores, 20 sessions with 200 us
of their own work and six statements a message (three interleaved runs): 2,400 to 3,500 messages a second and 270 to
400 us of CPU each with the thread running everything, 3,400 to 3,900 and 235 to 270 us with this shape; lowering
`sys.setswitchinterval` did not help the former. A savepoint costs 5 us of a unit's 25 to 35, and copies of the pages
that its neighbours changed: hence none before a unit has failed.

What the reactor must not wait for. BEGIN IMMEDIATE does not wait for locks; statements run for 10 ms, what is left
waits for the next group; a unit that is not done after 30 ms (the cursor looks between statements, SQLite's progress
callback within them) is undone. In each of these cases, and after any failure, the group is handed to the writer's
thread, which runs it from the start and may wait. `write_long` sends a unit there at once. Reads have the same guard:
beyond 50 ms, or if they meet a lock, they are run again as a `scan`, in a thread.

What can go wrong. SQLite rolls the whole transaction back after FULL, IOERR, NOMEM and the like, so after each unit,
well ended or not, `in_transaction` is looked at; if the transaction is lost, nothing of it is acknowledged and its
units run again one by one, each in its own. If COMMIT fails, the whole group fails (`StorageFull` if the disk is
full, else `TemporaryFailure`; the private reason is for the log). After an I/O error the handle is closed; the next
one first copies the WAL into the database and empties it, so that no later commit leans on pages whose fsync failed.
A file that was moved, removed or replaced is noticed before each group by its inode, and found again when it is back.

A later release that migrates the store under a running server is noticed within 100 ms, and the server gives the store
up; a transaction looks at the schema's number before its COMMIT, so that nothing is ever written into a schema that
this release does not know.

Checkpoints are made by the commit that leaves more than 1,000 pages in the WAL, in the writer's thread of whichever
process that is; the last connection to close makes one too.
"""

from worldmail.database.opening import DatabaseParts, open_database
from worldmail.database.sqlite import SqliteDatabase

__all__ = ["DatabaseParts", "SqliteDatabase", "open_database"]
