"""The steps of a run: names, public messages, what each waits for, and which inputs an operator may correct.

One table, read by the workflows (messages, summaries), the API (dry run, retry form) and the portal (step graph).
"""

from __future__ import annotations

from pydantic import BaseModel

from domain.statuses import DeploymentType


class Step(BaseModel, frozen=True):
    name: str
    title: str
    message: str  # shown when the step starts; the documented seven read "Step n/7: …"
    number: int | None = None  # 1..7 for the documented deployment steps
    after: tuple[str, ...] = ()  # edges of the step graph
    editable: tuple[str, ...] = ()  # fields of RunInputs that a retry may correct
    owner: str = "operator"  # who may end a wait at this step


def _step(name: str, title: str, message: str, *after: str, number: int | None = None,
          editable: tuple[str, ...] = ()) -> Step:  # fmt: skip
    text = f"Step {number}/7: {message}" if number else message
    return Step(name=name, title=title, message=text, number=number, after=after, editable=editable)


PROVISIONING: tuple[Step, ...] = (
    _step("reserve", "Reserve", "Reserving names, price and secrets", editable=("product", "availability_zone")),
    _step("create_server", "Create server", "Creating the server at the cloud", "reserve",
          editable=("product", "availability_zone", "operating_system")),
    _step("await_server", "Await server", "Waiting for the server to run", "create_server"),
    _step("publish_dns", "Publish DNS", "Publishing DNS records", "await_server"),
    _step("await_ssh", "Await SSH", "Waiting for SSH with the pinned host key", "await_server"),
    _step("set_up_server", "Set up server", "Setting up VPS", "await_ssh", number=1),
    _step("transfer_files", "Transfer files", "Transferring deployment files", "set_up_server", number=2,
          editable=("blueprint_version",)),
    _step("write_env", "Write environment", "Generating environment file", "transfer_files", number=3,
          editable=("environment",)),
    _step("start_services", "Start services", "Starting Docker services", "write_env", number=4,
          editable=("registry", "environment")),
    _step("make_csr", "Make key and CSR", "Making the TLS key on the server", "set_up_server"),
    _step("issue_certificate", "Issue certificate", "Issuing the certificate", "make_csr",
          editable=("acme_profile",)),
    _step("configure_tls", "Configure TLS", "Configuring domain and SSL", "issue_certificate", number=5),
    _step("run_migrations", "Run migrations", "Running database migrations", "start_services", number=6,
          editable=("migration_command", "environment")),
    _step("health_check", "Health check", "Performing health check",
          "run_migrations", "configure_tls", "publish_dns", number=7),
    _step("activate", "Hand over", "Handing over", "health_check"),
)  # fmt: skip

TERMINATION: tuple[Step, ...] = (
    _step("withdraw_dns", "Withdraw DNS", "Withdrawing DNS records"),
    _step("remove_application", "Remove application", "Removing the application from the server"),
    _step("destroy_server", "Cancel server", "Cancelling the server at the cloud", "remove_application"),
    _step("prove_absence", "Prove absence", "Proving that nothing is left", "withdraw_dns", "destroy_server"),
    _step("release", "Release", "Releasing names and places", "prove_absence"),
)

BY_NAME: dict[str, Step] = {step.name: step for step in (*PROVISIONING, *TERMINATION)}

# A bare server ends where an application would begin.
SERVER: tuple[Step, ...] = tuple(
    step.model_copy(update={"after": ("await_server",) if step.name == "activate" else step.after})
    for step in PROVISIONING
    if step.name in ("reserve", "create_server", "await_server", "activate")
)

SERVER_TERMINATION: tuple[Step, ...] = tuple(
    step.model_copy(update={"after": tuple(name for name in step.after if name == "destroy_server")})
    if step.name in ("destroy_server", "prove_absence")
    else step
    for step in TERMINATION
    if step.name not in ("withdraw_dns", "remove_application")
)

# On a shared server with room nothing is ordered and awaited; step 1 still runs and finds its work done.
SKIPPED_ON_SHARED = frozenset({"create_server", "await_server"})


def steps_for(deployment_type: DeploymentType, *, new_server: bool) -> tuple[Step, ...]:
    """The steps a run will take; `new_server` is false where a shared server has a free place."""
    if deployment_type is DeploymentType.SERVER:
        return SERVER
    if deployment_type is DeploymentType.DEDICATED or new_server:
        return PROVISIONING
    kept = tuple(s for s in PROVISIONING if s.name not in SKIPPED_ON_SHARED)
    names = {s.name for s in kept}
    return tuple(
        s.model_copy(update={"after": tuple(a for a in s.after if a in names) or (("reserve",) if s.after else ())})
        for s in kept
    )
