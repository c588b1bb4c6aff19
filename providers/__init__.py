"""Plain async clients of outside systems. They know nothing of Temporal, of our tables or of our settings."""
