"""SASL (RFC 4422) where we are the client, and what both sides of it share.

A mechanism is one class that provides `Exchange`: the server's challenges in, responses out, nothing of any
protocol's way to carry them. `choice` knows them all. The server's side is `worldmail.auth.sasl`.
"""
