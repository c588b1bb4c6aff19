"""The set-up of a server of the house: signed in as root, seen from outside. Rows change in house_records.py."""

from __future__ import annotations

from sqlalchemy import update
from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._house import Visit, server_of, visit
from activities._log import Lines
from db.models_hosting import Server
from domain.house_servers import HouseCall
from domain.journal import SubjectKind
from domain.sales import ServerType
from providers.dns.lookup import DNS_PORT, ask, split
from providers.errors import HostUnreachable, NotReady, Unauthorized, Unhealthy
from providers.hosting import setup as web
from providers.hosts import commands, probe
from providers.mailboxes import setup as mail
from providers.mailboxes.host_files import PORTS as MAIL_PORTS

SSH_INTERVAL = 3.0  # seconds between looks while a server boots
REFUSED_INTERVAL = 20.0  # sshd counts refused logins against our address: ask seldom


class HouseServerActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def await_house_ssh(self, call: HouseCall) -> None:
        """Look once whether the server lets us in and holds the pinned key; a try that finds it silent is repeated.

        Effect: none on the server but a login.
        Idempotency: reads only.
        Undo: none.
        Heartbeat: while connecting.
        """
        server = await server_of(self._deps, call.server_id)
        try:
            async with visit(self._deps, server, call.job_id, "await_house_ssh") as at:
                user = (await at.host.run(commands.whoami(), show="nothing")).stdout.strip()
                await at.log.say(f"SSH answers at {server.ip_address} with the pinned host key; {user} is let in")
        except Unauthorized as error:
            # Somebody has yet to put our public key there.
            raise NotReady(f"{error.message}; is its public key among the authorised ones?",
                           retry_after=REFUSED_INTERVAL) from error  # fmt: skip
        except HostUnreachable as error:
            raise HostUnreachable(error.message, retry_after=SSH_INTERVAL) from error

    @activity.defn
    @mapped
    async def set_up_house_server(self, call: HouseCall) -> None:
        """Make the server what its type says: a web server for many accounts, or one that takes and serves mail.

        Effect: the server as described in providers/hosting/setup.py and providers/mailboxes/setup.py;
            set_up_version on our row.
        Idempotency: a marker on the server, written last; every act is preceded by a look.
        Undo: none; others may live on it.
        Heartbeat: while at work.
        """
        server = await server_of(self._deps, call.server_id)
        async with visit(self._deps, server, call.job_id, "set_up_house_server") as at:
            version = await _set_up(at)
            async with self._deps.db.begin() as session:
                await session.execute(update(Server).where(Server.id == server.id).values(set_up_version=version))

    @activity.defn
    @mapped
    async def check_house_server(self, call: HouseCall) -> None:
        """Look at the server as the world does: a web or mail server's ports, a name server's answer for our zone.

        Effect: none, reads only.
        Idempotency: reads only.
        Undo: none.
        Heartbeat: while asking.
        """
        server = await server_of(self._deps, call.server_id)
        async with Lines(self._deps, call.job_id, "check_house_server", kind=SubjectKind.JOB) as log, beating():
            if server.type == ServerType.DNS:
                await log.say(await self._answers_for_our_zone(server))
                return
            config = self._deps.config
            wanted = MAIL_PORTS if server.type == ServerType.MAIL else (config.http_port, config.https_port)
            found = await probe.open_ports(server.ip_address, wanted)
            if silent := sorted(set(wanted) - set(found)):
                raise Unhealthy(f"{server.ip_address} does not answer on {', '.join(map(str, silent))}")
            await log.say(f"Outside: {server.ip_address} answers on {', '.join(map(str, found))}")

    async def _answers_for_our_zone(self, server: Server) -> str:
        config = self._deps.config
        zone, place = config.base_domain, f"[{server.ip_address}]:{DNS_PORT}"
        # Where the settings name it, they also say on which port it answers.
        asked = next((one for one in config.dns_servers if split(one)[0] == server.ip_address), place)
        answer = await ask(asked, zone, "SOA")
        if not answer.authoritative or not answer.values:
            raise Unhealthy(f"{server.ip_address} is no authoritative name server of {zone}: it says {answer.rcode}")
        return f"Outside: {server.ip_address} answers for {zone} with authority"


async def _set_up(at: Visit) -> str:
    if at.server.type == ServerType.MAIL:
        return (await mail.set_up(at.host, mail.MailPlan(hostname=at.server.hostname), at.log.say)).version
    return (await web.set_up(at.host, at.log.say)).version
