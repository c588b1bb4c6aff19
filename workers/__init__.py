"""What runs where, and the process that runs it."""
