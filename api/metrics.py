"""Numbers for Prometheus: requests by route template, and deployments as they stand at the moment of the scrape.

No names of customers, ids or slugs (X23).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from api.failing import Answer
from db.queries import attention_certificates, certificate_view, payment_catch_up
from db.queries.attention import parked_rows, parked_since, unstarted_rows
from db.queries.attention_sales import failed_mails, failed_refunds, parked_jobs, payment_cases, unstarted_jobs
from db.queries.attention_zones import failed_changes, late_changes
from db.queries.fleet import counts
from db.queries.inventory_view import ages, state_counts
from db.queries.offers import totals
from db.queries.reading import Reader
from domain.inventory import ResourceState
from domain.statuses import AttentionKind

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._requests = Histogram(
            "slipway_http_request_duration_seconds", "Time to the end of the answer, by route template",
            ("method", "route", "status"), buckets=_BUCKETS, registry=self.registry)  # fmt: skip
        self.streams = Gauge("slipway_event_streams", "Open event streams", registry=self.registry)
        self.starts_failed = Counter(
            "slipway_workflow_starts_failed",
            "Runs left to the sweep of unstarted rows",
            registry=self.registry,
        )
        self._deployments = Gauge(
            "slipway_deployments", "Deployments by state", ("status", "phase", "attention"), registry=self.registry
        )
        self._parked = Gauge("slipway_parked_steps", "Steps that wait for an operator", registry=self.registry)
        self._oldest = Gauge(
            "slipway_oldest_parked_seconds", "Age of the oldest wait; 0 when nothing waits", registry=self.registry
        )
        self._attention = Gauge(
            "slipway_attention_items",
            "What needs somebody, by kind; workflow_task_failing is missing while Temporal does not answer",
            ("kind",),
            registry=self.registry,
        )

        self._resources = Gauge(
            "slipway_cloud_resources", "Servers at clouds by state", ("provider", "state"), registry=self.registry
        )
        self._unexplained = Gauge(
            "slipway_unexplained_resources", "Servers at a cloud that no row of ours explains, quarantined ones too",
            ("provider",), registry=self.registry)  # fmt: skip
        self._sweep_age = Gauge(
            "slipway_inventory_age_seconds", "Time since a cloud's complete list was last written down",
            ("provider",), registry=self.registry)  # fmt: skip
        self._certificates = Gauge(
            "slipway_certificates", "Certificates in use by the time they have left", ("within",),
            registry=self.registry)  # fmt: skip
        self._expiry = Gauge(
            "slipway_certificate_days_to_expiry", "Days until the first certificate in use expires",
            registry=self.registry)  # fmt: skip
        self._renewals_failing = Gauge(
            "slipway_certificate_renewals_failing", "Certificates whose last renewal failed, by kind", ("kind",),
            registry=self.registry)  # fmt: skip
        self._renewals_late = Gauge(
            "slipway_certificate_renewals_late_seconds", "How long the oldest due renewal has waited for its run",
            registry=self.registry)  # fmt: skip
        self._payments_behind = Gauge(
            "slipway_payment_events_behind_seconds",
            "Age of the moment up to which the messages of a payment service are known to be kept",
            ("service",), registry=self.registry)  # fmt: skip
        self._payments_fetched = Gauge(
            "slipway_payment_events_fetched", "Messages that the webhook had not brought, and that were asked for",
            ("service",), registry=self.registry)  # fmt: skip
        self._offer_reads = Gauge(
            "slipway_offer_reads", "Lists of offers answered by all replicas, since they were last cleared",
            ("provider", "resource", "outcome"), registry=self.registry)  # fmt: skip
        self._offer_age = Gauge(
            "slipway_offer_age_seconds", "Age of the oldest list of offers that is kept", ("provider", "resource"),
            registry=self.registry)  # fmt: skip

    def observed(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, f"{status // 100}xx").observe(seconds)

    async def scrape(self, reader: Reader, failing: Answer) -> bytes:
        self._deployments.clear()
        for row in await counts(reader):
            self._deployments.labels(row["status"], row["phase"], row["attention"]).set(row["number"])
        parked = [*await parked_rows(reader), *await parked_jobs(reader)]
        waits = [moment for row in parked for moment in parked_since(row)]
        late = sum(bool(wait.get("escalated")) for row in parked for wait in row["parked"])
        self._attention.clear()
        self._attention.labels(AttentionKind.WAITS).set(len(waits) - late)
        self._attention.labels(AttentionKind.ESCALATED).set(late)
        unstarted = len(await unstarted_rows(reader)) + len(await unstarted_jobs(reader))
        self._attention.labels(AttentionKind.NOT_STARTED).set(unstarted)
        self._attention.labels(AttentionKind.PAYMENT_CASE).set(len(await payment_cases(reader)))
        self._attention.labels(AttentionKind.REFUND_FAILED).set(len(await failed_refunds(reader)))
        self._attention.labels(AttentionKind.CERTIFICATE).set(await attention_certificates.number(reader))
        self._attention.labels(AttentionKind.MAIL_GIVEN_UP).set(len(await failed_mails(reader)))
        self._attention.labels(AttentionKind.ZONE_CHANGE_FAILED).set(len(await failed_changes(reader)))
        self._attention.labels(AttentionKind.ZONE_CHANGE_LATE).set(len(await late_changes(reader)))
        if failing.known:
            self._attention.labels(AttentionKind.TASK_FAILING).set(len(failing.runs))
        self._parked.set(len(waits))
        oldest = min(waits, default=None)
        self._oldest.set((datetime.now(UTC) - oldest).total_seconds() if oldest else 0)
        await self._inventory(reader)
        await self._offers(reader)
        await self._certified(reader)
        for row in await payment_catch_up.progress(reader):
            self._payments_behind.labels(row["service"]).set(row["behind"])
            self._payments_fetched.labels(row["service"]).set(row["fetched"])
        return generate_latest(self.registry)

    async def _certified(self, reader: Reader) -> None:
        rows = await certificate_view.expiry(reader)
        self._certificates.clear()
        for row in rows:
            self._certificates.labels(row["within"]).set(row["number"])
        self._expiry.set(min((row["days"] for row in rows), default=math.inf))
        self._renewals_failing.clear()
        for row in await certificate_view.failing(reader):
            self._renewals_failing.labels(row["kind"]).set(row["number"])
        self._renewals_late.set(await certificate_view.waiting(reader))

    async def _inventory(self, reader: Reader) -> None:
        for gauge in (self._resources, self._unexplained, self._sweep_age):
            gauge.clear()
        for row in await ages(reader):
            self._sweep_age.labels(row["provider"]).set(row["seconds"])
            self._unexplained.labels(row["provider"]).set(0)
        for row in await state_counts(reader):
            self._resources.labels(row["provider"], row["state"]).set(row["number"])
            if row["state"] in (ResourceState.UNEXPLAINED, ResourceState.QUARANTINED):
                self._unexplained.labels(row["provider"]).inc(row["number"])

    async def _offers(self, reader: Reader) -> None:
        for gauge in (self._offer_reads, self._offer_age):
            gauge.clear()
        for row in await totals(reader):
            self._offer_age.labels(row["provider"], row["resource"]).set(row["age"])
            for outcome in ("hits", "misses", "stale_hits"):
                self._offer_reads.labels(row["provider"], row["resource"], outcome).set(row[outcome])
