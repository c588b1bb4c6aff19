"""`slipway`: start the stack, run its processes, and work with instances through the public API.

Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 nobody answers, 4 not signed in.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.client import ApiError, Client
from sandbox.stack import commands as stack
from sandbox.stack.layout import Layout

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
instances = typer.Typer(no_args_is_help=True, help="Work with instances through the API.")
inventory = typer.Typer(help="What runs at the clouds, for whom, what it costs, and what nobody can explain.")
app.add_typer(instances, name="instances")
app.add_typer(inventory, name="inventory")
app.command()(stack.up)
app.command()(stack.down)
app.command()(stack.lab)
app.command()(stack.sandbox)

STATUS = {"refused": 1, "unreachable": 3, "unauthorized": 4}
COLOURS = {"active": "green", "failed": "red", "awaiting_operator": "yellow", "escalated": "red",
           "unexplained": "yellow", "quarantined": "yellow", "missing": "red"}  # fmt: skip
WHOLE = ("id", "deploymentId", "slug", "name", "state")  # columns that are copied into the next command
WHERE = "/api/portal/instances"
LEDGER = "/api/admin/inventory"

Json = Annotated[bool, typer.Option("--json", help="Print the reply as JSON.")]
Instance = Annotated[str, typer.Argument(metavar="INSTANCE", help="Id of a deployment, or its slug.")]


@app.callback(help="Slipway: start the stack, run its processes, work with instances.")
def main(
    context: typer.Context,
    address: Annotated[str, typer.Option("--api", envvar="SLIPWAY_API", help="Address of the API.")] = "",
    token: Annotated[str, typer.Option(envvar="SLIPWAY_TOKEN", help="An access token.")] = "",
    username: Annotated[str, typer.Option(envvar="SLIPWAY_USERNAME", help="Whom to sign in as.")] = "",
    password: Annotated[str, typer.Option(envvar="SLIPWAY_PASSWORD", hidden=True)] = "",
) -> None:
    def make() -> Client:
        # Without anything given, the stack that runs from this folder is meant, with its first sign-in.
        layout = Layout.from_environment()
        known = layout.read_json(layout.up)
        chosen = address or str(known.get("api", "http://127.0.0.1:8000"))
        own = known if chosen == known.get("api") and not username else {}
        name, word = username or str(own.get("username", "")), password or str(own.get("password", ""))
        return Client(chosen, token=token, username=name, password=word, cache=layout.root / "cli.json")

    context.obj = make


@contextmanager
def client_of(context: typer.Context) -> Iterator[Client]:
    """The API's client; its refusals end the command with the API's sentence."""
    make: Callable[[], Client] = context.obj
    try:
        yield make()
    except ApiError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(Text(str(error), style="red"))
        raise typer.Exit(STATUS[error.why]) from None


def screen() -> Console:
    # In a pipe there is no width to fit into: nothing may be cut or wrapped.
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=1000, soft_wrap=True)


def shown(value: object) -> Text:
    text = "" if value is None else str(value)
    return Text(text, style=COLOURS.get(text, ""))


def show(reply: dict[str, Any], as_json: bool, columns: list[str], rows: list[dict[str, Any]]) -> None:
    """A table of `rows`, or the whole reply as JSON."""
    if as_json:
        sys.stdout.write(json.dumps(reply, indent=2) + "\n")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name.replace("_", " "), no_wrap=name in WHOLE, overflow="fold")
    for row in rows:
        table.add_row(*[shown(row.get(name)) for name in columns])
    screen().print(table if rows else "nothing there")


# ---- processes


@app.command()
def api() -> None:
    """Serve the API and the portal (settings come from the environment)."""
    stack.replace_process("api")


@app.command()
def worker(pool: Annotated[list[str] | None, typer.Option(help="Run only this pool; may be repeated.")] = None) -> None:
    """Run the worker pools until a signal."""
    stack.replace_process("workers", *(pool or []))


@app.command()
def migrate(revision: str = "head") -> None:
    """Bring the database schema to a revision, and the accounts that the environment names into their rows."""
    from db.keyring import KeyRing
    from db.migrate import upgrade
    from db.queries.environment import seed
    from db.session import Database
    from settings import get_settings

    settings = get_settings()
    upgrade(settings.sqlalchemy_url, revision)
    if revision != "head" or settings.secret_keys is None:
        return
    keys = KeyRing.parse(settings.secret_keys.get_secret_value())

    async def accounts() -> None:
        db = Database(settings.sqlalchemy_url, pool_min=1, pool_max=1)
        try:
            await seed(db, keys, settings.cloud_accounts(), retire=False)
        finally:
            await db.close()

    asyncio.run(accounts())


@app.command()
def bootstrap() -> None:
    """Prepare the Temporal namespace: search attributes and retention."""
    stack.replace_process("deploy.bootstrap")


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})
def limits(context: typer.Context) -> None:
    """Show and change, live, how many tasks a second each account may start at its cloud: show | set KIND RATE."""
    stack.replace_process("workers.limits", *context.args)


@app.command()
def administrator(username: str, email: str) -> None:
    """Make an administrator in the database and print the one-time password."""
    from sandbox.stack.accounts import make_administrator
    from settings import get_settings

    password = secrets.token_urlsafe(15)
    if not make_administrator(get_settings(), username, email, password):
        screen().print(f"{username} or {email} is there already; nothing was changed.")
        raise typer.Exit(1)
    screen().print(Text(f"{username} signs in once with {password} and then chooses a password."))


# ---- instances


@instances.command("list")
def list_(
    context: typer.Context, status: str = "", phase: str = "", search: str = "", page: int = 1, limit: int = 50,
    as_json: Json = False,
) -> None:  # fmt: skip
    """List instances, newest first."""
    wanted = {"status": status, "phase": phase, "search": search, "page": page, "limit": limit}
    with client_of(context) as client:
        reply = client.call("GET", WHERE, params={name: value for name, value in wanted.items() if value})
    columns = ["id", "slug", "deployment_type", "tier", "status", "phase", "attention", "status_message"]
    show(reply, as_json, columns, reply["instances"])


@instances.command("show")
def show_(context: typer.Context, instance: Instance, as_json: Json = False) -> None:
    """Show one instance with its steps."""
    with client_of(context) as client:
        reply = client.call("GET", f"{WHERE}/{client.find(instance)}/status")
    if not as_json:
        for name in ("id", "slug", "status", "phase", "attention", "status_message", "access_url", "error_message"):
            if reply.get(name) not in (None, "", "none"):
                screen().print(Text(f"{name.replace('_', ' '):<15}"), shown(reply[name]))
        if vps := reply.get("vps"):
            screen().print(Text(f"{'server':<15}"), shown(f"{vps['name']} {vps['ip'] or ''}".strip()))
    show(reply, as_json, ["number", "name", "state", "seconds", "attempt"], reply.get("steps", []))


@instances.command()
def create(
    context: typer.Context, slug: str, email: Annotated[str, typer.Option(help="Of the first administrator.")],
    name: Annotated[str, typer.Option(help="Organization; the slug if empty.")] = "",
    tier: str = "starter", model: str = "dedicated", vps: Annotated[str, typer.Option(help="Shared server.")] = "",
    admin: Annotated[str, typer.Option(help="Name of the first administrator.")] = "Administrator",
    key: Annotated[str, typer.Option(help="Idempotency-Key; a new one if empty.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the run to its end.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Order an instance."""
    body = {"organizationName": name or slug, "slug": slug, "tier": tier, "deploymentModel": model,
            "vpsId": vps or None, "adminEmail": email, "adminName": admin, "dryRun": dry_run}  # fmt: skip
    headers = {"Idempotency-Key": key or str(uuid.uuid4())}
    with client_of(context) as client:
        reply = client.call("POST", WHERE, json=body, headers=headers)
        if dry_run:
            show(reply, as_json, ["number", "name", "title", "message"], reply["plan"]["steps"])
            return
        show(reply, as_json, ["deploymentId", "message"], [reply])
        if follow:
            raise typer.Exit(follow_run(client, reply["deploymentId"], ""))


@instances.command()
def logs(
    context: typer.Context, instance: Instance,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay until the run ends.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Print a run's log; with -f, exit 0 only if the run ends well."""
    with client_of(context) as client:
        deployment = client.find(instance)
        if follow:
            raise typer.Exit(follow_run(client, deployment, "0"))
        position, lines = 0, []
        path = f"{WHERE}/{deployment}/logs"
        while page := client.call("GET", path, params={"after": position, "limit": 1000})["logs"]:
            lines += page
            position = page[-1]["position"]
    for line in lines:
        print_line(line) if not as_json else sys.stdout.write(json.dumps(line) + "\n")


def follow_run(client: Client, deployment: str, after: str) -> int:
    """Print the live stream until its end; 0 if the run ended as it was meant to."""
    for event in client.events(deployment, after):
        if event.kind in ("log", "step"):
            print_line(event.data)
    status = client.call("GET", f"{WHERE}/{deployment}/status")
    screen().print(Text(f"{status.get('phase')}: {status.get('status_message') or ''}"))
    return 0 if status.get("phase") in ("active", "terminated") else 1


def print_line(line: dict[str, Any]) -> None:
    style = {"warning": "yellow", "error": "red"}.get(str(line.get("level", "")).lower(), "")
    text = line.get("message") or f"{line.get('title') or line.get('name') or ''} {line.get('state') or ''}"
    moment = str(line.get("timestamp") or line.get("at") or "")[11:19]
    screen().print(Text(f"{moment:<8}  {line.get('step') or line.get('name') or '':<18}"), Text(str(text), style=style))


def decide(context: typer.Context, method: str, instance: str, path: str, body: dict[str, Any], as_json: bool) -> None:
    with client_of(context) as client:
        reply = client.call(method, f"{WHERE}/{client.find(instance)}{path}", json=body)
    show(reply, as_json, ["message"], [{"message": reply.get("message") or "done"}])


@instances.command()
def retry(
    context: typer.Context, instance: Instance,
    step: Annotated[str, typer.Option(help="Which step, when several are waiting.")] = "",
    change: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A corrected input.")] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Try a waiting step again, with corrected inputs where it allows them."""
    pairs = dict(pair.partition("=")[::2] for pair in change or [] if "=" in pair)
    if len(pairs) != len(change or []):
        raise typer.BadParameter("write KEY=VALUE, each key once", param_hint="--set")
    body = {**({"step": step} if step else {}), **({"changes": pairs} if pairs else {})}
    decide(context, "POST", instance, "/retry", body, as_json)


@instances.command()
def rollback(context: typer.Context, instance: Instance, reason: str = "", as_json: Json = False) -> None:
    """Undo a waiting run, and prove that nothing is left of it."""
    decide(context, "POST", instance, "/rollback", {"reason": reason} if reason else {}, as_json)


@instances.command()
def cancel(context: typer.Context, instance: Instance, as_json: Json = False) -> None:
    """Cancel a run that is under way, and undo it."""
    decide(context, "POST", instance, "/cancel", {}, as_json)


@instances.command()
def terminate(context: typer.Context, instance: Instance, immediately: bool = False, as_json: Json = False) -> None:
    """Take a running instance out of service."""
    decide(context, "DELETE", instance, "", {"immediately": immediately}, as_json)


@app.command()
def attention(context: typer.Context, as_json: Json = False) -> None:
    """What needs somebody, the oldest first: since when, until when, and who. `id` is of the instance, the job, the
    payment's message or the zone that it is about."""
    with client_of(context) as client:
        reply = client.call("GET", "/api/operator/attention")
    columns = ["slug", "kind", "what", "trouble", "since", "until", "owner", "message", "id"]
    kinds = ("deployment_id", "job_id", "event_id", "zone_id")
    rows = [item | {"id": next((item[kind] for kind in kinds if item.get(kind)), "")} for item in reply["items"]]
    show(reply, as_json, columns, rows)
    if not as_json and (said := reply.get("temporal", {}).get("message")):
        screen().print(Text(said, style="yellow"))


# ---- inventory


@inventory.callback(invoke_without_command=True)
def inventory_(context: typer.Context, as_json: Json = False) -> None:
    """List what is at the clouds, what needs somebody first."""
    if context.invoked_subcommand:
        return
    with client_of(context) as client:
        reply = client.call("GET", LEDGER)
    rows = [
        row | {"server": row["provider_ref"], "for": ", ".join(one["slug"] for one in row["deployments"]),
               "a month": priced(row["price_cents_month"], row["currency"])}
        for row in reply["resources"]
    ]  # fmt: skip
    show(reply, as_json, ["id", "server", "state", "verdict", "for", "a month", "delete_after", "note"], rows)
    if as_json:
        return
    for total in reply["totals"]:
        of_it = priced(total["unexplained_cents_month"], total["currency"])
        screen().print(Text(f"{priced(total['cents_month'], total['currency'])} a month, {of_it} of it unexplained"))
    for sweep in reply["sweeps"]:
        words = f"{sweep['provider']} swept at {sweep['began_at']}: {sweep['outcome']} {sweep['reason']}"
        screen().print(Text(words.strip(), style="" if sweep["outcome"] in ("complete", "running") else "yellow"))


def priced(cents: int | None, currency: str) -> str:
    return "" if cents is None else f"{cents / 100:.2f} {currency}"


@inventory.command()
def sweep(
    context: typer.Context,
    vouch: Annotated[bool, typer.Option(
        "--vouch", help="Say that list and rows are right although they look wrong; nothing is touched.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Look at the cloud now."""
    with client_of(context) as client:
        reply = client.call("POST", f"{LEDGER}/sweep", json={"vouch": vouch})
    show(reply, as_json, ["message", "sweep_id"], [reply])


Resource = Annotated[str, typer.Argument(metavar="ID", help="Id of a server in the inventory.")]


def settle(context: typer.Context, resource: str, verb: str, note: str, as_json: bool) -> None:
    with client_of(context) as client:
        reply = client.call("POST", f"{LEDGER}/{resource}/{verb}", json={"note": note} if note else {})
    show(reply, as_json, ["provider_ref", "state", "message"], [reply])


@inventory.command()
def adopt(context: typer.Context, resource: Resource, note: str = "", as_json: Json = False) -> None:
    """Leave a server alone: it is neither powered off nor deleted, and started again if it was."""
    settle(context, resource, "adopt", note, as_json)


@inventory.command()
def release(context: typer.Context, resource: Resource, note: str = "", as_json: Json = False) -> None:
    """Have the next sweep delete a server that Slipway ordered and no row explains."""
    settle(context, resource, "release", note, as_json)


if __name__ == "__main__":
    app()
