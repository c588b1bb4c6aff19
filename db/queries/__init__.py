"""Reads and writes of rows, by subject. Each takes a session; the caller owns the transaction."""
