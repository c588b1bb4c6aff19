"""An uploaded certificate is brought to the server of one that it replaces (X18: a shared key, off by default)."""

from __future__ import annotations

import uuid

from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._renewing import holder_of, say
from activities._shared_keys import SharedKeys
from domain.certificates import Renewal, Tried


class SharedCertificateActivities:
    def __init__(self, deps: Deps) -> None:
        self._shared = SharedKeys(deps)

    @activity.defn
    @mapped
    async def bring_shared_certificate(self, renewal: Renewal) -> Tried:
        """Lay the uploaded certificate's key beside the one in use; its chain is installed as a renewed one is.

        Effect: a key file of root's alone on the server, not in use yet; one row in `certificates`.
        Idempotency: the file is written whole; a row that was made before is used.
        Undo: none; a key beside the one in use is neither served nor taken for a fresh one, and goes with the next.
        Heartbeat: while at work.
        """
        async with beating():
            made = await self._shared.bring(
                say, holder_of(renewal), renewal.shared_id, uuid.UUID(renewal.certificate_id)
            )  # fmt: skip
        return Tried(successor_id=str(made.id))
