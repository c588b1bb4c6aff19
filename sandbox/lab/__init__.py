"""The lab: real Debian hosts, a real name server, registry and certificate authority, on one machine and offline.

    from sandbox.lab import Lab, missing, prepare

`missing()` says what keeps it from running here, `prepare()` makes it once, `Lab` says where its parts are.
"""

from sandbox.lab.checks import missing
from sandbox.lab.paths import Lab
from sandbox.lab.prepare import prepare

__all__ = ["Lab", "missing", "prepare"]
