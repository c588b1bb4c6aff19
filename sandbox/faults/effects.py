"""What may become of one call to a cloud. A rule or a seed decides on it; the emulator carries both out alike."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

Do = Literal["lose_request", "lose_answer", "delay", "status", "garbage", "rate_limit", "duplicate", "hide", "late"]


class Effect(BaseModel):
    """One thing that goes wrong.

    lose_request  the connection is cut before the call is handled
    lose_answer   the call is handled, then the connection is cut
    delay         the call is handled `seconds` late
    status        answered with `status`, `headers` and `body` (an error sentence, HTML, or empty)
    garbage       answered with 200 and something else than was asked for: `body`, else half an object
    rate_limit    answered with 429, resetting in `seconds`
    duplicate     the call is handled twice, as a repeating proxy makes it; the second answer is the one that is heard
    hide          a list lacks the servers of the run that asks (all servers, where the call names no run)
    late          nothing but the delays below

    status and garbage leave the call unhandled unless `handled`. An order's servers, whatever became of its answer, are
    made `appear` seconds later, miss from lists for `unlisted` seconds after that, and stay locked `locked` seconds
    beyond their installation.
    """

    do: Do
    seconds: float = 5.0
    status: int = 503
    headers: dict[str, str] = {}
    body: str = ""
    handled: bool = False
    appear: float = Field(0, ge=0)
    unlisted: float = Field(0, ge=0)
    locked: float = Field(0, ge=0)

    def told(self) -> str:
        """One word or a few, for reports."""
        more = [f"{name} {value:.1f} s" for name in ("appear", "unlisted", "locked") if (value := getattr(self, name))]
        what = f"{self.status}{' though handled' if self.handled else ''}" if self.do == "status" else self.do
        return ", ".join([what, *more])
