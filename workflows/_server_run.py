"""What the runs about a deployment have in common: which row they write, and whose queue their calls stand in."""

from __future__ import annotations

from domain.journal import Subject, SubjectKind
from domain.provisioning import ProvisionOrder, RunInputs, TerminationOrder
from workflows._steps import OperatedRun


class ServerRun(OperatedRun[RunInputs]):
    def _cloud(self) -> tuple[str, str]:
        return self.inputs.provider, self.inputs.provider_id


def about(order: ProvisionOrder | TerminationOrder) -> Subject:
    return Subject(SubjectKind.DEPLOYMENT, order.deployment_id, order.slug, order.inputs.provider)
