"""One step of a run, as every table of steps lists it."""

from __future__ import annotations

from pydantic import BaseModel


class Step(BaseModel, frozen=True):
    name: str
    title: str
    message: str  # shown when the step starts; the documented seven read "Step n/7: …"
    number: int | None = None  # 1..7 for the documented deployment steps
    after: tuple[str, ...] = ()  # edges of the step graph
    editable: tuple[str, ...] = ()  # fields of the run's inputs that a retry may correct
    owner: str = "operator"  # who may end a wait at this step


def step(name: str, title: str, message: str, *after: str, number: int | None = None,
         editable: tuple[str, ...] = (), owner: str = "operator") -> Step:  # fmt: skip
    text = f"Step {number}/7: {message}" if number else message
    return Step(name=name, title=title, message=text, number=number, after=after, editable=editable, owner=owner)
