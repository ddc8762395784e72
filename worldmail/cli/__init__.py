"""The `worldmail` command: one module a noun.

Start-up time matters to people and to scripts: a noun's module is imported when it is used,
and imports what it works with inside its commands.
"""
