"""Schema 6: the last attempt of what waits, and what fetched messages are known by if their names change."""

STATEMENTS = (
    # server: who was spoken to at the last attempt, as reports name it; NULL if nobody was. tried: when that was.
    "ALTER TABLE recipient ADD COLUMN server {text}",
    "ALTER TABLE recipient ADD COLUMN tried {int}",
    # digest: of all of the message, in hex; "" of what does not stay there.
    "ALTER TABLE fetched ADD COLUMN digest {text}",
)
