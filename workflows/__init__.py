"""The runbooks: deterministic code only. `run()` tells the story; the step machinery is in `_steps.py`."""
