"""What the sandbox's clouds have in common: memory, the life of a server, faults, limits, and the way of a call."""
