"""SASL mechanisms (RFC 4422) as pure exchanges: octets in, octets out. Nothing here imports Twisted.

A mechanism is one module with one class that provides `ISaslExchange`; what it must know it asks an
`Identities` (see `worldmail.auth.sasl.exchange`), and `worldmail.auth.mechanisms` has one row for it.
"""
