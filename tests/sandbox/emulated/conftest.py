"""The fixtures of the host procedures serve the model too: it is judged by what the product does with it."""

from tests.providers.hosts.conftest import authority, driver, subject

__all__ = ["authority", "driver", "subject"]
