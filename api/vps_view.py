"""A bare server as source 001 shows it (R013, R014): one status out of lifecycle and power (X10), prices as sold."""

from __future__ import annotations

from decimal import Decimal

from api.envelope import stamp
from db.models_clouds import ServerAction
from db.queries.servers import Owned
from domain.statuses import Lifecycle, PowerState

_CENT = Decimal("0.01")


def status_of(lifecycle: str, power: str) -> str:
    """`running` where it is active and runs; `stopped` where it is active and does not; else its lifecycle."""
    if lifecycle != Lifecycle.ACTIVE:
        return lifecycle
    return "active" if power == PowerState.UNKNOWN else power


def rates(owned: Owned) -> tuple[float | None, float | None, str]:
    """(hourly, monthly, currency): the plan's price where an administrator sells this size, else the cloud's."""
    vps, plan = owned.vps, owned.plan
    cost = Decimal(vps.price_cents_month) / 100 if vps.price_cents_month is not None else None
    hourly = vps.hourly_rate
    monthly = cost
    if plan is not None:
        monthly = (plan.base_price + plan.markup_price).quantize(_CENT)
        hourly = (hourly * monthly / cost).quantize(Decimal("0.00001")) if hourly is not None and cost else None
    return (float(hourly) if hourly is not None else None, float(monthly) if monthly is not None else None,
            plan.currency if plan is not None else vps.currency)  # fmt: skip


def shown(owned: Owned, *, brief: bool = False) -> dict[str, object]:
    """`brief`: the documented keys of the reply to an order."""
    vps, run = owned.vps, owned.deployment
    body: dict[str, object] = {
        "id": vps.id,
        "provider_id": vps.provider_id,
        "provider_type": vps.provider_type,
        "provider_instance_id": vps.provider_instance_id,
        "label": vps.label or vps.vps_name,
        "status": status_of(vps.lifecycle, vps.power_state),
        "ip_address": vps.vps_ip,
        "region": vps.location,
        "created_at": stamp(vps.created_at),
        "deployment_id": run.id if run else None,
    }
    if brief:
        return body
    hourly, monthly, currency = rates(owned)
    specs = vps.specs
    return body | {
        "ipv6_address": vps.ipv6_address,
        "plan_specs": {"vcpus": specs.get("cpu"), "memory": specs.get("ram_mb"), "disk": specs.get("disk_gb"),
                       "transfer": specs.get("transfer_gb")},
        "hourly_rate": hourly,
        "monthly_rate": monthly,
        "currency": currency,
        "updated_at": stamp(vps.updated_at),
        "lifecycle": vps.lifecycle,
        "power_state": vps.power_state,
        "type": vps.product_name,
        "image": vps.image,
        "tags": vps.options.get("tags", []),
        "is_shared": vps.is_shared,
        "attention": run.attention if run else None,
        "status_message": run.status_message if run else None,
        "error_code": run.error_code if run else None,
        "error_message": run.error_message if run else None,
        "billed_until": stamp(vps.billed_until),
        "seen_at": stamp(vps.seen_at),
    }  # fmt: skip


def acted(action: ServerAction) -> dict[str, object]:
    return {
        "id": action.id, "action": action.action, "state": action.state, "error_code": action.error_code,
        "error_message": action.error_message, "requested_by": action.requested_by,
        "created_at": stamp(action.created_at), "ended_at": stamp(action.ended_at),
    }  # fmt: skip
