"""The effects: one file per outside system. Each activity looks before it acts and can be run again at any time."""
