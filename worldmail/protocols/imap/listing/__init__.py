"""Which names LIST and LSUB tell of, and how (RFC 9051 §6.3.9, RFC 5258): pure functions of what the store says."""
