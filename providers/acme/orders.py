"""Orders at a CA: placed with a profile and a predecessor, or taken up again. Blocking: run in threads."""

from __future__ import annotations

from typing import Any

from acme import messages

from providers.acme.csr import CsrFacts
from providers.acme.problems import NO_PREDECESSOR, code_of
from providers.acme.wire import Session


def place(
    session: Session, csr_pem: str, names: tuple[str, ...], profile: str | None, replaces: str
) -> tuple[messages.OrderResource, str]:
    """(the order, the predecessor it was accepted for or "").

    The predecessor is named only to a CA that has renewal information (RFC 9773 §5), and never stands in the way: where
    it was replaced already, or the CA does not know it, the same order is sent without it.
    """
    wanted: dict[str, Any] = {"identifiers": [{"type": "dns", "value": name} for name in names]}
    if profile is not None:
        wanted["profile"] = profile
    if replaces and "renewalInfo" in session.directory.to_partial_json():
        try:
            return _place(session, csr_pem, wanted | {"replaces": replaces})
        except messages.Error as error:
            if code_of(error) not in NO_PREDECESSOR:
                raise
    return _place(session, csr_pem, wanted)


def _place(session: Session, csr_pem: str, wanted: dict[str, Any]) -> tuple[messages.OrderResource, str]:
    answer = session.send(session.directory["newOrder"], wanted)
    document = answer.json()
    order = _resource(session, str(answer.headers["Location"]), messages.Order.from_json(document), csr_pem)
    # A CA that accepts it says so (§5); one that ignores it counts the order against its limits.
    accepted = wanted.get("replaces", "")
    return order, accepted if document.get("replaces") == accepted else ""


def reopen(session: Session, url: str, csr_pem: str, facts: CsrFacts) -> messages.OrderResource | None:
    """An order placed earlier, by a try that did not see its end. None where it leads nowhere: order anew."""
    try:
        body = session.order(url)
    except messages.Error:
        return None  # forgotten, expired, or of another account
    named = sorted(item.value.lower() for item in body.identifiers)
    if body.status == messages.STATUS_INVALID or named != list(facts.names):
        return None
    return _resource(session, url, body, csr_pem)


def _resource(session: Session, url: str, body: messages.Order, csr_pem: str) -> messages.OrderResource:
    # What is proven, or issued, needs no look at its authorizations.
    pending = body.authorizations if body.status == messages.STATUS_PENDING else ()
    return messages.OrderResource(
        body=body, uri=url, authorizations=[session.authorization(item) for item in pending], csr_pem=csr_pem.encode()
    )
