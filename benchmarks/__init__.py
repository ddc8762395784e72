"""WorldMail beside Postfix and Dovecot, on this machine, in one run, round by round.

`python -m benchmarks --help`; needs root, Debian's postfix, dovecot-imapd, dovecot-pop3d and
dovecot-lmtpd, and WorldMail with its test dependencies. What the figures mean: docs/benchmarks.md.
"""
