"""Pure values shared by every part: no I/O, no clock, no randomness, safe inside the workflow sandbox."""
