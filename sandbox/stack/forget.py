"""`make clean`: forget a stack's data. Runs only when nothing of it runs."""

from __future__ import annotations

import os
import shutil

from sandbox.lab.tools import unmount_below
from sandbox.stack.layout import Layout
from sandbox.stack.postgres import SHARED_STATE
from sandbox.stack.reports import Reports


def forget_everything(layout: Layout, reports: Reports) -> None:
    """Remove the state folder and what lies outside it because PostgreSQL does not run as root."""
    if not layout.root.exists():
        return
    instance = str(layout.read_json(layout.root / "secrets.json").get("instance") or "")
    if os.geteuid() == 0:
        unmount_below(layout.root)
        if instance.isalnum():
            shutil.rmtree(SHARED_STATE / instance, ignore_errors=True)
    shutil.rmtree(layout.root)
    reports.note(f"Removed {layout.root} and all data in it")
