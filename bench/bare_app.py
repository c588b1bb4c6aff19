"""What a bare FastAPI does: one SELECT by key through SQLAlchemy Core, its row as JSON. No sign-in, no limits, no log.

`python -m bench.bare_app PORT DATABASE_URL`, served as `python -m api` serves: uvloop, httptools, no access log.
"""

from __future__ import annotations

import sys
import uuid

import uvicorn
from fastapi import FastAPI, HTTPException
from sqlalchemy import column, select, table
from sqlalchemy.ext.asyncio import create_async_engine

DEPLOYMENTS = table("instance_deployments", *(column(name) for name in (
    "id", "organization_id", "status", "status_message", "access_url", "created_at", "updated_at", "slug", "tier",
    "deployment_type", "phase", "attention")))  # fmt: skip


def create(url: str) -> FastAPI:
    app = FastAPI()
    # As many connections as our API may use, all kept: nothing is opened or tested per request.
    engine = create_async_engine(url, pool_size=20, max_overflow=0)

    @app.get("/deployments/{deployment_id}")
    async def deployment(deployment_id: uuid.UUID) -> dict[str, object]:
        async with engine.connect() as connection:
            found = await connection.execute(select(DEPLOYMENTS).where(DEPLOYMENTS.c.id == deployment_id))
            row = found.mappings().one_or_none()
        if row is None:
            raise HTTPException(404)
        return dict(row)

    return app


if __name__ == "__main__":
    uvicorn.run(create(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools",
                ws="none", access_log=False, server_header=False, log_config=None)  # fmt: skip
