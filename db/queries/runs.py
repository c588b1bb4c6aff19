"""What an activity needs to know of a deployment: its row, its organization, its server and its place there."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Deployment, Organization, Placement, ServerIntent, VpsInstance


class DeploymentMissing(LookupError):
    """No deployment has this id."""


@dataclass(frozen=True)
class RunFacts:
    deployment: Deployment
    organization: Organization
    vps: VpsInstance | None
    placement: Placement | None
    intent: ServerIntent | None

    @property
    def server(self) -> VpsInstance:
        if self.vps is None:
            raise DeploymentMissing(f"deployment {self.deployment.id} has no server yet")
        return self.vps

    @property
    def address(self) -> str:
        if self.server.vps_ip is None:
            raise DeploymentMissing(f"server {self.server.vps_name} has no address yet")
        return self.server.vps_ip

    @property
    def place(self) -> int:
        """0 on a dedicated server, the place taken on a shared one."""
        return self.placement.place if self.placement else 0


async def load(session: AsyncSession, deployment_id: str | uuid.UUID) -> RunFacts:
    row = (
        await session.execute(
            select(Deployment, Organization, VpsInstance, Placement, ServerIntent)
            .join(Organization, Organization.id == Deployment.organization_id)
            .outerjoin(VpsInstance, VpsInstance.id == Deployment.vps_id)
            .outerjoin(Placement, Placement.deployment_id == Deployment.id)
            .outerjoin(ServerIntent, ServerIntent.vps_id == VpsInstance.id)
            .where(Deployment.id == uuid.UUID(str(deployment_id)))
        )
    ).one_or_none()
    if row is None:
        raise DeploymentMissing(f"no deployment {deployment_id}")
    return RunFacts(*row)
