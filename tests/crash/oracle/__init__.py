"""An accounting oracle: what was promised to clients, held against what can be read back.

It stands outside the server and shares no code with it. Load comes from `writers` and
`readers`, every promise goes into the `ledger`, and `audit` reads everything back.
"""
