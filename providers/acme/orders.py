"""Orders at a CA: placed with a profile and a predecessor, or taken up again. Blocking: run in threads."""

from __future__ import annotations

from typing import Any

import requests
from acme import errors, messages

from providers.acme.csr import CsrFacts
from providers.acme.problems import NO_PREDECESSOR, code_of
from providers.acme.wire import Session

# Answers for an order that is forgotten, expired, or another account's.
GONE = {requests.codes.forbidden, requests.codes.not_found, requests.codes.gone}


def place(
    session: Session, csr_pem: str, names: tuple[str, ...], profile: str | None, replaces: str
) -> tuple[messages.OrderResource, str]:
    """(the order, the predecessor it was accepted for or "").

    The predecessor is named only to a CA that has renewal information (RFC 9773 §5), and never stands in the way: where
    it was replaced already, or the CA cannot find it, the same order is sent without it.
    """
    wanted: dict[str, Any] = {"identifiers": [{"type": "dns", "value": name} for name in names]}
    if profile is not None:
        wanted["profile"] = profile
    if replaces and "renewalInfo" in session.directory.to_partial_json():
        try:
            return _place(session, csr_pem, wanted | {"replaces": replaces})
        except messages.Error as error:
            if code_of(error) not in NO_PREDECESSOR and not _stumbled(session, error):
                raise
    return _place(session, csr_pem, wanted)


def _place(session: Session, csr_pem: str, wanted: dict[str, Any]) -> tuple[messages.OrderResource, str]:
    answer = session.send(session.directory["newOrder"], wanted)
    document = answer.json()
    order = _resource(str(answer.headers["Location"]), messages.Order.from_json(document), csr_pem)
    # A CA that accepts it says so (§5); one that ignores it counts the order against its limits.
    accepted = wanted.get("replaces", "")
    return order, accepted if document.get("replaces") == accepted else ""


def _stumbled(session: Session, error: messages.Error) -> bool:
    """A 500 in the CA's own words: it may be the predecessor that it cannot digest (Pebble 2.10, a serial that needs a
    leading zero). If it is not, the second order fails as well; if it is, the certificate is worth the exemption.
    """
    return code_of(error) == "serverInternal" and session.last_status == requests.codes.server_error


def reopen(session: Session, url: str, csr_pem: str, facts: CsrFacts) -> tuple[messages.OrderResource, str] | None:
    """An order placed earlier, by a try that did not see its end, and the predecessor it was accepted for.

    None where it leads nowhere: order anew.
    """
    try:
        document = session.document(url)
    except errors.Error:
        if session.last_status not in GONE:
            raise
        return None
    body = messages.Order.from_json(document)
    named = sorted(item.value.lower() for item in body.identifiers)
    if body.status == messages.STATUS_INVALID or named != list(facts.names):
        return None
    return _resource(url, body, csr_pem), str(document.get("replaces") or "")


def with_authorizations(session: Session, order: messages.OrderResource) -> messages.OrderResource:
    """The order with what is to be proven for it; what is proven, or issued, needs no look."""
    pending = order.body.authorizations if order.body.status == messages.STATUS_PENDING else ()
    found: messages.OrderResource = order.update(authorizations=[session.authorization(item) for item in pending])
    return found


def _resource(url: str, body: messages.Order, csr_pem: str) -> messages.OrderResource:
    return messages.OrderResource(body=body, uri=url, authorizations=[], csr_pem=csr_pem.encode())
