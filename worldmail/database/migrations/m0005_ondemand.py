"""Schema 5: what is done on demand."""

STATEMENTS = (
    # What is known of a thing that administrators made by name (an agent's last run, whether a link is up). texts: a
    # JSON object.
    "CREATE TABLE status (kind {text} NOT NULL, name {text} NOT NULL, texts {text} NOT NULL,"
    " PRIMARY KEY (kind, name)) {no_rowid}",
    # Messages of a remote mailbox that an agent has taken, by the names that they have there. at: when.
    "CREATE TABLE fetched (agent {text} NOT NULL, message {text} NOT NULL, at {int} NOT NULL,"
    " PRIMARY KEY (agent, message)) {no_rowid}",
    # Recipients of a message that a relay handed over, by the relay's own id of it: none is taken twice. at: when.
    "CREATE TABLE arrived (relay {text} NOT NULL, message {text} NOT NULL, recipient {text} NOT NULL,"
    " at {int} NOT NULL, PRIMARY KEY (relay, message, recipient)) {no_rowid}",
    "CREATE INDEX arrived_at ON arrived (at)",
    # Bounds that the site of a relay domain told us of its recipient, NULL if it told none. most: octets of one
    # message. room: octets that were left for it when it told.
    "ALTER TABLE relay_recipient ADD COLUMN most {int}",
    "ALTER TABLE relay_recipient ADD COLUMN room {int}",
)
