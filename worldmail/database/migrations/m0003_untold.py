"""Schema 3: what senders are still to be told of."""

STATEMENTS = (
    # What happened to a recipient, and is not yet in a report to the sender: written with what it tells of, removed
    # with the acceptance of the report. Each row counts in queued.recipients, so that the message stays as long. at:
    # when it happened. due: when it is told at the latest, or tried to be told again. happening: a JSON object.
    "CREATE TABLE untold (id {lasting}, queued_id {int} NOT NULL REFERENCES queued(id), at {int} NOT NULL,"
    " due {int} NOT NULL, happening {text} NOT NULL)",
    "CREATE INDEX untold_queued ON untold (queued_id)",
    "CREATE INDEX untold_due ON untold (due)",
)
