"""Bad days to order, the same for every cloud: what may go wrong with a call, and who draws it."""
