"""Side-by-side measurements: every number is a ratio of two things run in turns on this machine, now."""
