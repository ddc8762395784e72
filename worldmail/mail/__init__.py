"""Pure mail values: addresses, envelopes, message texts. Nothing here does I/O."""
