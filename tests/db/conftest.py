from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from db.base import new_id
from db.models import Deployment, Organization
from db.session import Database

MakeDeployment = Callable[..., Awaitable[Deployment]]


@pytest.fixture
def make_deployment(db: Database) -> MakeDeployment:
    async def make(slug: str, kind: str = "dedicated") -> Deployment:
        async with db.begin() as session:
            organization = Organization(id=new_id(), name=slug, slug=slug)
            session.add(organization)
            await session.flush()
            row = Deployment(
                id=new_id(), organization_id=organization.id, deployment_type=kind, tier="starter", slug=slug,
                assigned_subdomain=f"{slug}.slipway.test", admin_email="a@example.com", admin_name="A",
            )  # fmt: skip
            session.add(row)
        return row

    return make
