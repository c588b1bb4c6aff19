"""Which host, as whom, and by which pinned key: what the SSH executor needs to connect."""

from __future__ import annotations

from pydantic import BaseModel, Field


class HostTarget(BaseModel):
    """`host_key` is the public key line given to the host at birth; no other key is accepted, ever."""

    address: str
    port: int = 22
    user: str = "root"
    private_key: str = Field(repr=False)
    host_key: str
