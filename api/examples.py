"""The documented examples of sources 000 and 001: shown in the API's own documentation, held to by contract tests."""

from __future__ import annotations

from typing import Any

CREATE_REQUEST: dict[str, Any] = {
    "organizationName": "Acme Corp",
    "slug": "acme",
    "tier": "professional",
    "deploymentModel": "dedicated",
    "vpsId": None,
    "adminEmail": "admin@acme.com",
    "adminName": "John Doe",
    "adminPassword": "SecurePassword123!",
}

CREATE_REPLY: dict[str, Any] = {
    "message": "Dedicated VPS provisioning initiated",
    "organization": {"id": "org-uuid", "name": "Acme Corp", "slug": "acme"},
    "deployment": {"id": "deployment-uuid", "status": "provisioning", "tier": "professional"},
    "deploymentId": "deployment-uuid",
}

STATUS_REPLY: dict[str, Any] = {
    "id": "deployment-uuid",
    "organization_id": "org-uuid",
    "status": "deploying",
    "status_message": "Step 4/7: Starting Docker services",
    "access_url": None,
    "logs": [
        {"timestamp": "2025-01-19T10:30:00Z", "message": "VPS created"},
        {"timestamp": "2025-01-19T10:32:00Z", "message": "Step 1/7: Setting up VPS"},
    ],
    "created_at": "2025-01-19T10:30:00Z",
    "updated_at": "2025-01-19T10:32:15Z",
}

LOGS_REPLY: dict[str, Any] = {
    "deploymentId": "deployment-uuid",
    "logs": [
        {"timestamp": "2025-01-19T10:30:00Z", "message": "VPS created: acme-vps-1"},
        {"timestamp": "2025-01-19T10:31:30Z", "message": "VPS ready, IP: 203.0.113.10"},
        {"timestamp": "2025-01-19T10:32:00Z", "message": "Step 1/7: Setting up VPS"},
        {"timestamp": "2025-01-19T10:32:45Z", "message": "Docker installed successfully"},
    ],
}

INVENTORY_REPLY: dict[str, Any] = {
    "resources": [
        {
            "id": "resource-uuid", "provider": "transip", "provider_ref": "acme-vps2", "label": "acme-vps-1",
            "product": "bladevps-x4", "status": "running", "address": "203.0.113.10", "state": "explained",
            "verdict": "explained", "note": "", "sightings": 12, "price_cents_month": 2000, "currency": "EUR",
            "decided_by": "", "first_seen": "2025-01-19T10:30:00Z", "last_seen": "2025-01-19T21:30:00Z",
            "unexplained_since": None, "quarantined_at": None, "delete_after": None, "deleted_at": None,
            "decided_at": None, "vps": {"id": "vps-uuid", "vps_name": "acme-vps-1", "status": "active"},
            "intent": "adopted", "ordered_for": "deployment-uuid",
            "deployments": [{"id": "deployment-uuid", "slug": "acme", "organization_name": "Acme Corp",
                             "status": "active", "phase": "active"}],
            "may_adopt": False, "may_release": False,
        },
    ],
    "totals": [{"currency": "EUR", "cents_month": 2000, "unexplained_cents_month": 0, "resources": 1, "unpriced": 0}],
    "attention": 0,
    "sweeps": [
        {
            "id": "sweep-uuid", "provider": "transip", "requested_by": "schedule", "vouched": False,
            "began_at": "2025-01-19T21:30:00Z", "ended_at": "2025-01-19T21:30:01Z", "outcome": "complete",
            "complete": True, "reason": "", "listed": 1, "unexplained": 0, "quarantined": 0, "deleted": 0,
            "last_complete_at": "2025-01-19T21:30:00Z",
        },
    ],
    "rules": {"sweep_minutes": 60, "grace_hours": 72, "acts_per_hour": 2},
}  # fmt: skip


ACCOUNTS_REPLY: dict[str, Any] = {
    "providers": [
        {"id": "uuid", "name": "Linode", "type": "linode", "active": True, "configuration": {},
         "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z"},
        {"id": "uuid", "name": "DigitalOcean", "type": "digitalocean", "active": True, "configuration": {},
         "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z"},
    ]
}  # fmt: skip

ACCOUNT_REQUEST: dict[str, Any] = {
    "name": "DigitalOcean Production",
    "type": "digitalocean",
    "api_key": "your-api-token",
    "configuration": {"default_region": "nyc3"},
}

ACCOUNT_REPLY: dict[str, Any] = {
    "success": True,
    "provider": {"id": "uuid", "name": "DigitalOcean Production", "type": "digitalocean", "active": True},
}

ACCOUNT_CHANGE: dict[str, Any] = {
    "name": "DigitalOcean Production",
    "api_key": "new-api-token",
    "active": True,
    "configuration": {"default_region": "sfo3"},
}

ACCOUNT_DELETED: dict[str, Any] = {"success": True, "message": "Provider deleted successfully"}


# Of any error from any route; the same sentence is in `message` too, as source 000 has it.
ERROR: dict[str, Any] = {"success": False, "error": "Error message", "code": "ERROR_CODE", "field": "fieldName"}


def taking(example: dict[str, Any]) -> dict[str, Any]:
    """`openapi_extra` of a route that takes this as its body."""
    return {"requestBody": {"content": {"application/json": {"example": example}}}}


def described(description: str, example: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"example": example}}}


CREATED = described("Accepted; Location names the status", CREATE_REPLY)
STATUS = described("The status, its newest log lines, and more than the documented keys", STATUS_REPLY)
LOGS = described("Log lines in order", LOGS_REPLY)
INVENTORY = described("The ledger, what needs somebody first", INVENTORY_REPLY)
ACCOUNTS = described("Accounts at clouds, the oldest first; never a key", ACCOUNTS_REPLY)
ACCOUNT_CREATED = described("The account, and more than the documented keys", ACCOUNT_REPLY)
ACCOUNT_REMOVED = described("It is gone, and its key is destroyed", ACCOUNT_DELETED)
