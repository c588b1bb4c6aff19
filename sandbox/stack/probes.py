"""Is a part ready? Small questions over TCP and HTTP, asked by the supervisor until they are answered."""

from __future__ import annotations

import asyncio
import ssl

import httpx

from sandbox.stack.supervisor import Probe

PATIENCE = 2.0  # seconds one question may take


def tcp(host: str, port: int) -> Probe:
    async def ready() -> bool:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), PATIENCE)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    return ready


def http(url: str, *, trust: ssl.SSLContext | bool = True, below: int = 500) -> Probe:
    """Ready when the URL answers with a status lower than `below`."""

    async def ready() -> bool:
        try:
            # trust_env off: a proxy or CA file of this machine's environment says nothing about loopback.
            async with httpx.AsyncClient(verify=trust, trust_env=False, timeout=PATIENCE) as client:
                return (await client.get(url)).status_code < below
        except httpx.HTTPError:
            return False

    return ready


async def wait_for(probe: Probe, seconds: float) -> bool:
    """Ask for a part that is not ours (an overridden address) until it answers or the time is over."""
    async with asyncio.timeout(seconds + PATIENCE):
        for _ in range(int(seconds * 5) + 1):
            if await probe():
                return True
            await asyncio.sleep(0.2)
    return False
