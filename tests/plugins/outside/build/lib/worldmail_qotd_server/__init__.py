"""The quote of the day (RFC 865) for WorldMail."""
