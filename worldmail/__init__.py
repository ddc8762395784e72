"""WorldMail: a complete mail and directory server for a site, on Twisted."""

__version__ = "0.1.0"
