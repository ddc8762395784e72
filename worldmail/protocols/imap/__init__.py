"""IMAP4rev1 and IMAP4rev2: `session.py` opens with the theory of it."""
