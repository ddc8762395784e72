"""Finger as a client: one question, one answer."""
