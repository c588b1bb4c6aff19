"""The steps of setting up a server of the house (R149)."""

from __future__ import annotations

from domain.step import Step, step

HOUSE_SERVER: tuple[Step, ...] = (
    step("await_house_ssh", "Await SSH", "Waiting for SSH with the pinned host key"),
    step("set_up_house_server", "Set up server", "Setting the server up", "await_house_ssh"),
    step("check_house_server", "Check from outside", "Looking at the server from outside", "set_up_house_server"),
    step("activate_house_server", "Activate", "Opening the server for customers", "check_house_server"),
)  # fmt: skip

# A name server is worked by its own interface, never over SSH: it is looked at and opened.
NAME_SERVER: tuple[Step, ...] = tuple(
    one.model_copy(update={"after": tuple(name for name in one.after if name == "check_house_server")})
    for one in HOUSE_SERVER
    if one.name in ("check_house_server", "activate_house_server")
)
