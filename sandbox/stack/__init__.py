"""`slipway up`: everything Slipway needs on one machine, started, watched and stopped by one process.

Knows how each part is run and when it is ready. Knows nothing of what the parts do: production code never imports this.
"""
