"""IMAP as a client, as far as mail is fetched from a mailbox elsewhere (RFC 9051, RFC 3501)."""
