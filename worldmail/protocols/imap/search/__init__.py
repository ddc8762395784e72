"""SEARCH: what is asked, as a tree of nodes; and which messages it holds for.

`keys.py` reads a program (RFC 9051 §6.4.4) into nodes, `nodes.py` says what each node asks of a message and how dear
the answer is, `evaluate.py` asks it of a mailbox: the cheap questions first, the dear ones only of the messages that
are left.
"""
