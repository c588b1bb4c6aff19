"""The steps of a run: names, public messages, what each waits for, and which inputs an operator may correct.

One table, read by the workflows (messages, summaries), the API (dry run, retry form) and the portal (step graph).
"""

from __future__ import annotations

from domain.change_steps import CHANGES
from domain.fulfilment_steps import FULFILMENT, PARTS, TAKING_BACK
from domain.house_steps import HOUSE_SERVER
from domain.statuses import DeploymentType
from domain.step import Step, step

PROVISIONING: tuple[Step, ...] = (
    step("reserve", "Reserve", "Reserving names, price and secrets", editable=("product", "availability_zone")),
    step("create_server", "Create server", "Creating the server at the cloud", "reserve",
          editable=("product", "availability_zone", "operating_system")),
    step("await_server", "Await server", "Waiting for the server to run", "create_server"),
    step("publish_dns", "Publish DNS", "Publishing DNS records", "await_server"),
    step("await_ssh", "Await SSH", "Waiting for SSH with the pinned host key", "await_server"),
    step("set_up_server", "Set up server", "Setting up VPS", "await_ssh", number=1),
    step("transfer_files", "Transfer files", "Transferring deployment files", "set_up_server", number=2,
          editable=("blueprint_version",)),
    step("write_env", "Write environment", "Generating environment file", "transfer_files", number=3,
          editable=("environment",)),
    step("start_services", "Start services", "Starting Docker services", "write_env", number=4,
          editable=("registry", "environment")),
    step("make_csr", "Make key and CSR", "Making the TLS key on the server", "set_up_server"),
    step("issue_certificate", "Issue certificate", "Issuing the certificate", "make_csr",
          editable=("acme_profile", "challenge")),
    step("configure_tls", "Configure TLS", "Configuring domain and SSL", "issue_certificate", number=5),
    step("run_migrations", "Run migrations", "Running database migrations", "start_services", number=6,
          editable=("migration_command", "environment")),
    step("health_check", "Health check", "Performing health check",
          "run_migrations", "configure_tls", "publish_dns", number=7),
    step("activate", "Hand over", "Handing over", "health_check"),
)  # fmt: skip

TERMINATION: tuple[Step, ...] = (
    step("withdraw_dns", "Withdraw DNS", "Withdrawing DNS records"),
    step("remove_application", "Remove application", "Removing the application from the server"),
    step("destroy_server", "Cancel server", "Cancelling the server at the cloud", "remove_application"),
    step("prove_absence", "Prove absence", "Proving that nothing is left", "withdraw_dns", "destroy_server"),
    step("release", "Release", "Releasing names and places", "prove_absence"),
)

BY_NAME: dict[str, Step] = {
    step.name: step
    for step in (*PROVISIONING, *TERMINATION, *FULFILMENT, *PARTS, *TAKING_BACK, *CHANGES, *HOUSE_SERVER)
}

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
