"""What is done to a server that stands: power, and looking at it. The rule of this file: nothing is sent twice.

Starting a running server or stopping a stopped one does no harm, so these are repeated after a lost answer. A restart
is not: whether it was done cannot be seen afterwards, and a second one interrupts what the first has started.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._clouds import cloud_of_server
from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from db.models import VpsInstance
from db.models_clouds import ServerAction
from db.queries import servers
from domain.errors import Trouble
from domain.servers import ActionCall, ActionState, LookCall, PowerAction, Seen
from domain.statuses import Lifecycle, PowerState
from providers.errors import NotFound, NotReady, ProviderError, Unconfirmed

REPEATABLE = {PowerAction.POWER_ON, PowerAction.POWER_OFF, PowerAction.SHUTDOWN}
AFTERWARDS = {PowerAction.POWER_OFF: PowerState.STOPPED, PowerAction.SHUTDOWN: PowerState.STOPPED}


class ServerActionActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def send_action(self, call: ActionCall) -> None:
        """Ask the cloud once to do something to a server.

        Effect: one action at the cloud; its name there on our row.
        Idempotency: the row says whether it was sent. After an unanswered call a power-on or power-off is sent again,
            a restart never.
        Undo: none.
        Heartbeat: while the call is under way.
        """
        action_id = uuid.UUID(call.action_id)
        async with beating():
            async with self._deps.db.begin() as session:
                action, vps = await _of(session, action_id)
                begun = await servers.begin_action(session, action_id)
            if action.ended_at is not None or (not begun and action.action_ref is not None):
                return
            if not begun and call.action not in REPEATABLE:
                raise ApplicationError(
                    f"the cloud did not answer; the {call.action} may have been done or not, and is not sent twice",
                    type=Trouble.UNCONFIRMED, non_retryable=True)  # fmt: skip
            cloud = await cloud_of_server(self._deps, vps)
            try:
                ref = await cloud.power(_ref(vps), call.action)
            except Unconfirmed:
                raise
            except ProviderError:
                async with self._deps.db.begin() as session:
                    await servers.never_sent(session, action_id)
                raise
            async with self._deps.db.begin() as session:
                (await session.get_one(ServerAction, action_id)).action_ref = ref

    @activity.defn
    @mapped
    async def await_action(self, call: ActionCall) -> None:
        """Look once whether it is done; a try that finds it not done is repeated.

        Effect: how it ended, and the server's power state, on our rows.
        Idempotency: the first end stays.
        Undo: none.
        Heartbeat: none, one short call.
        """
        action_id = uuid.UUID(call.action_id)
        async with self._deps.db.begin() as session:
            action, vps = await _of(session, action_id)
        cloud = await cloud_of_server(self._deps, vps)
        state = await cloud.action_state(_ref(vps), call.action, action.action_ref)
        if state is ActionState.RUNNING:
            raise NotReady(f"the {call.action} is under way", retry_after=cloud.poll_interval)
        if state is ActionState.FAILED:
            raise ApplicationError(f"the cloud could not carry out the {call.action}", type=Trouble.REFUSED,
                                   non_retryable=True)  # fmt: skip
        async with self._deps.db.begin() as session:
            await servers.end_action(session, action_id, "done")
            row = await session.get_one(VpsInstance, vps.id)
            row.power_state = AFTERWARDS.get(call.action, PowerState.RUNNING)
            row.seen_at = datetime.now(UTC)

    @activity.defn
    @mapped
    async def look_at_server(self, call: LookCall) -> Seen:
        """Ask the cloud how a server is.

        Effect: power state, addresses and the time of the look on our row.
        Idempotency: the newest look stays.
        Undo: none.
        Heartbeat: none, one short call.
        """
        async with self._deps.db.begin() as session:
            vps = await session.get_one(VpsInstance, uuid.UUID(call.vps_id))
        cloud = await cloud_of_server(self._deps, vps)
        try:
            server = await cloud.get(_ref(vps))
        except NotFound:
            server = None
        power = PowerState.UNKNOWN
        if server is not None and vps.lifecycle == Lifecycle.ACTIVE:
            power = PowerState.RUNNING if server.running else PowerState.STOPPED
        async with self._deps.db.begin() as session:
            row = await session.get_one(VpsInstance, vps.id, with_for_update=True)
            row.seen_at, row.power_state = datetime.now(UTC), power
            if server is not None:
                row.vps_ip = server.address or row.vps_ip
                row.ipv6_address = server.ipv6_address or row.ipv6_address
        return Seen(power_state=power, missing=server is None)


async def _of(session: AsyncSession, action_id: uuid.UUID) -> tuple[ServerAction, VpsInstance]:
    action = await session.get_one(ServerAction, action_id)
    return action, await session.get_one(VpsInstance, action.vps_id)


def _ref(vps: VpsInstance) -> str:
    if vps.provider_instance_id is None:
        raise ApplicationError("the server has no name at the cloud yet", type=Trouble.NOT_FOUND, non_retryable=True)
    return vps.provider_instance_id
