"""Nothing lost, nothing doubled: the whole control plane on the worst days, seed by seed, judged from outside.

`make faults SEEDS=1000 [FIRST=1]`, `make faults SEED=123`. Why it is as it is: docs/decisions/0006-fault-machine.md.
"""
