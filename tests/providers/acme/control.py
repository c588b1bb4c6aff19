"""What both kinds of CA can be told beside the protocol: faults, windows, and what became of a certificate."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any

from providers.acme.chains import Issued
from tests.providers.dns.servers import Ca, http


def fresh_name() -> str:
    return f"c{uuid.uuid4().hex[:8]}.slipway.test"


async def fault(ca: Ca, **fields: object) -> None:
    """Only the sandbox's CA fails when asked to."""
    async with http(ca) as asking:
        (await asking.post(f"{ca.management_url}/_sandbox/faults", json=fields)).raise_for_status()


async def mend(ca: Ca) -> None:
    async with http(ca) as asking:
        (await asking.delete(f"{ca.management_url}/_sandbox/faults")).raise_for_status()


async def spoil(ca: Ca, **fields: object) -> None:
    async with http(ca) as asking:
        (await asking.post(f"{ca.management_url}/_sandbox/spoil", json={"path": "", **fields})).raise_for_status()


async def set_window(
    ca: Ca, issued: Issued, start: datetime, end: datetime, explanation_url: str | None = None
) -> None:
    leaf = issued.chain_pem.partition("-----END CERTIFICATE-----")
    async with http(ca) as asking:
        if ca.kind == "pebble":
            answer: dict[str, Any] = {"suggestedWindow": {"start": start.isoformat(), "end": end.isoformat()}}
            if explanation_url:
                answer["explanationURL"] = explanation_url
            body = {"certificate": leaf[0] + leaf[1] + "\n", "ariResponse": json.dumps(answer)}
            (await asking.post(f"{ca.management_url}/set-renewal-info/", json=body)).raise_for_status()
        else:
            body = {"certificate_id": issued.certificate_id, "start": start.isoformat(), "end": end.isoformat()}
            if explanation_url:
                body["explanation_url"] = explanation_url
            (await asking.post(f"{ca.management_url}/_sandbox/windows", json=body)).raise_for_status()


async def revoked(ca: Ca, issued: Issued) -> int | None:
    """The reason, or None."""
    async with http(ca) as asking:
        if ca.kind == "pebble":
            found = (await asking.get(f"{ca.management_url}/cert-status-by-serial/{issued.serial}")).json()
            return int(found.get("Reason", 0)) if found["Status"] == "Revoked" else None
        found = (await asking.get(f"{ca.management_url}/_sandbox/certificates/{issued.certificate_id}")).json()
        return None if found["revoked"] is None else int(found["revoked"])
