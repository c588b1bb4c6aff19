"""Emulated hosts: a small honest model of a Debian host behind real SSH and TLS ports, for machines without root."""

from sandbox.hosts.emulated.driver import EmulatedDriver

__all__ = ["EmulatedDriver"]
