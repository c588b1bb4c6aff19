"""The documented bodies of bare servers (source 001), shown by the API's own page, held to by tests."""

from __future__ import annotations

from typing import Any

from api.examples import described, taking

ORDER_DIGITALOCEAN: dict[str, Any] = {
    "provider_id": "uuid-of-digitalocean-provider",
    "provider_type": "digitalocean",
    "label": "my-web-server",
    "type": "s-1vcpu-1gb",
    "region": "nyc3",
    "image": "ubuntu-22-04-x64",
    "rootPassword": "secure-password-here",
    "sshKeys": ["12345", "67890"],
    "backups": False,
    "monitoring": True,
    "ipv6": True,
    "vpc_uuid": None,
    "appSlug": "wordpress",
    "tags": ["production", "web"],
}

ORDER_LINODE: dict[str, Any] = {
    "provider_id": "uuid-of-linode-provider",
    "provider_type": "linode",
    "label": "my-web-server",
    "type": "g6-nanode-1",
    "region": "us-east",
    "image": "linode/ubuntu22.04",
    "rootPassword": "secure-password-here",
    "sshKeys": ["ssh-rsa AAAA..."],
    "backups": False,
    "privateIP": False,
    "stackscriptId": 12345,
    "stackscriptData": {"hostname": "myserver"},
    "tags": ["production", "web"],
}

# "Creating a DigitalOcean VPS" of the source's integration examples.
ORDER_WORDPRESS: dict[str, Any] = {
    "provider_id": "digitalocean-provider-uuid",
    "provider_type": "digitalocean",
    "label": "my-wordpress-site",
    "type": "s-1vcpu-1gb",
    "region": "nyc3",
    "image": "ubuntu-22-04-x64",
    "rootPassword": "SecurePassword123!",
    "sshKeys": [],
    "backups": False,
    "monitoring": True,
    "ipv6": True,
    "appSlug": "wordpress",
}

ORDERED: dict[str, Any] = {
    "success": True,
    "instance": {
        "id": "internal-uuid",
        "provider_id": "provider-uuid",
        "provider_type": "digitalocean",
        "provider_instance_id": "droplet-id",
        "label": "my-web-server",
        "status": "provisioning",
        "ip_address": None,
        "region": "nyc3",
        "created_at": "2024-01-01T00:00:00Z",
    },
}

SHOWN: dict[str, Any] = {
    "instance": {
        "id": "internal-uuid",
        "provider_id": "provider-uuid",
        "provider_type": "digitalocean",
        "provider_instance_id": "droplet-id",
        "label": "my-web-server",
        "status": "running",
        "ip_address": "192.0.2.1",
        "ipv6_address": "2001:db8::1",
        "region": "nyc3",
        "plan_specs": {"vcpus": 1, "memory": 1024, "disk": 25, "transfer": 1000},
        "hourly_rate": 0.00893,
        "monthly_rate": 6.00,
        "created_at": "2024-01-01T00:00:00Z",
        "updated_at": "2024-01-01T00:00:00Z",
    }
}

ACTION: dict[str, Any] = {"action": "reboot"}
ACTION_BEGUN: dict[str, Any] = {"success": True, "message": "Action reboot initiated successfully"}
DELETE_BEGUN: dict[str, Any] = {"success": True, "message": "Action delete initiated successfully"}

# A body that has more than one example.
ORDER = {"requestBody": {"content": {"application/json": {"examples": {
    "digitalocean": {"value": ORDER_DIGITALOCEAN}, "linode": {"value": ORDER_LINODE}}}}}}  # fmt: skip
REBOOT = taking(ACTION)
CREATED = described("Accepted; provider_instance_id follows once the cloud has answered", ORDERED)
READ = described("The server, its newest actions, and more than the documented keys", SHOWN)
BEGUN = described("Accepted; GET /api/vps/{id} shows how the action ended", ACTION_BEGUN)
DELETED = described("Accepted; GET /api/vps/{id} shows how it goes", DELETE_BEGUN)
