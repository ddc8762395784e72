"""Rules about senders, recipients and messages: a chain of checks, each a plugin."""
