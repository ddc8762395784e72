"""Who and what there is: domains, accounts, aliases, and where an address leads.

`Directory` answers the protocols from an ordered list of sources and keeps the answers until the change
feed says otherwise; `DatabaseSource` is the source that reads our own tables; `DirectoryAdmin` changes them.
"""
