"""Schema 6: the last attempt of what waits."""

STATEMENTS = (
    # server: who was spoken to at the last attempt, as reports name it; NULL if nobody was. tried: when that was.
    "ALTER TABLE recipient ADD COLUMN server {text}",
    "ALTER TABLE recipient ADD COLUMN tried {int}",
)
