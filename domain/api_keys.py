"""Machines that may call the API (X06): kinds, and what a key may be good for."""

from __future__ import annotations

from enum import StrEnum


class KeyKind(StrEnum):
    WEBHOOK = "webhook"
    NODE = "node"
    PORTAL = "portal"


class Scope(StrEnum):
    ORDERS_WRITE = "orders:write"
    INSTANCES_WRITE = "instances:write"
    INSTANCES_READ = "instances:read"
    SERVERS_READ = "servers:read"
    METRICS_READ = "metrics:read"


# What a key that is bound to a tenant may hold: all else shows or changes more than one tenant's.
OF_A_TENANT = frozenset({Scope.ORDERS_WRITE})
