"""The sans-I/O kit that every protocol is made of. Nothing here imports Twisted."""
