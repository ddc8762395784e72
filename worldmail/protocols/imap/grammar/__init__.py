"""The grammar of IMAP commands (RFC 9051 §9): octets in, values out."""
