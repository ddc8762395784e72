"""Schema 4: holds."""

STATEMENTS = (
    # What administrators made by name. kind: "hold". texts: a JSON object of what was given, by key.
    # password: sealed under the server key.
    "CREATE TABLE entry (kind {text} NOT NULL, name {text} NOT NULL, texts {text} NOT NULL, password {blob},"
    " PRIMARY KEY (kind, name)) {no_rowid}",
    # What waits in a hold is looked at too: its senders may be told, and its time ends.
    "DROP INDEX recipient_look",
    "CREATE INDEX recipient_look ON recipient (look) WHERE state < 2",
)
