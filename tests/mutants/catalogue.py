"""The safeguards that are taken out one at a time, and the test files that must notice."""

from __future__ import annotations

from dataclasses import dataclass

from tests.copies import Edit


@dataclass(frozen=True)
class Mutant:
    """`edits` remove one safeguard; at least one test of `suites` must fail then."""

    name: str
    edits: tuple[Edit, ...]
    suites: tuple[str, ...]


def _mutant(name: str, suites: str, *changes: tuple[str, str, str]) -> Mutant:
    return Mutant(name, tuple(Edit(name, *change) for change in changes), tuple(suites.split()))


STEPS = "workflows/_steps.py"
SERVERS = "activities/servers.py"
OFFERS = "activities/offers.py"
GATE = "activities/_gate.py"
BUDGETS = "db/queries/budgets.py"
JOURNAL = "db/queries/journal.py"
RECORDS = "activities/records.py"
DELIVERIES = "activities/deliveries.py"
PEOPLE = "db/queries/people.py"
PRODUCTS = "db/queries/products.py"
LINKS = "db/queries/links.py"
MAILS = "db/queries/mails.py"
RESET = "api/password_reset.py"
WEBHOOK = "providers/payments/webhook.py"
LIFECYCLE = "domain/lifecycle.py"
CHANGES = "workflows/subscription_changes.py"

RENEWALS = "workflows/renewals.py"
ORDERS_AT_CA = "activities/_orders_at_ca.py"
CERTIFICATES = "db/queries/certificates.py"
DRILLS = "db/queries/drills.py"
SHARED = "db/queries/shared_certificates.py"

MUTANTS = (
    _mutant(
        "an unanswered order is sent again at once", "tests/activities/test_servers.py",
        (SERVERS, "if waited < timedelta(seconds=cloud.late_accept_window):", "if waited < timedelta(0):"),
    ),
    _mutant(
        "an unanswered order is given up at once", "tests/activities/test_servers.py",
        (SERVERS, "if waited < cloud.late_accept_window:", "if waited < 0:"),
    ),
    _mutant(
        "the undo is remembered after the effect", "tests/workflows/test_provisioning.py",
        (STEPS, "        if undo is not None:\n            self._undos.append((name, undo))\n", ""),
        (STEPS, "                self._done.append(name)\n",
         "                self._done.append(name)\n                if undo is not None:\n"
         "                    self._undos.append((name, undo))\n"),
    ),
    _mutant(
        "an undo may overtake its effect", "tests/workflows/test_provisioning.py",
        (STEPS, "ActivityCancellationType.WAIT_CANCELLATION_COMPLETED", "ActivityCancellationType.ABANDON"),
    ),
    _mutant(
        "rows have more than one lane", "tests/workflows/test_replay_safety.py",
        ("workflows/_rows.py", "        async with self._turn:\n            return await work()",
         "        return await work()"),
    ),
    _mutant(
        "secrets stay in what a host prints", "tests/providers/hosts/test_texts.py tests/providers/hosts/test_ssh.py",
        ("providers/hosts/redaction.py", "text = text.replace(form, MARK)", "pass"),
    ),
    _mutant(
        "a mail's link alone opens an account", "tests/api/test_registration.py",
        ("api/registration.py", "if waiting is not None and not await check_password(password, waiting.password_hash):",
         "if False:"),
    ),
    _mutant(
        "what is typed into a profile shows what a customer bought", "tests/workflows/test_fulfilment.py",
        ("activities/deliveries.py", " and await registrations.is_proven(session, user)", ""),
    ),
    _mutant(
        "a zone's end is repeated after the zone was wanted again", "tests/api/test_zone_change_routes.py",
        ("api/zone_change_routes.py", "if await zone_changes.superseded(session, found):", "if False:"),
    ),
    _mutant(
        "a mail domain of another owner is taken over", "tests/providers/mailboxes/test_texts.py",
        ("providers/mailboxes/domain_table.py", "if found != owner:", "if found is Ellipsis:"),
    ),
    _mutant(
        "a suspended mailbox is signed in to", "tests/providers/mailboxes/test_texts.py",
        ("providers/mailboxes/accounts.py", "if is_open and self.password_hash", "if self.password_hash"),
    ),
    _mutant(
        "a suspended mailbox takes mail", "tests/providers/mailboxes/test_texts.py",
        ("providers/mailboxes/accounts.py", "if not is_open:", "if is_open is None:"),
    ),
    _mutant(
        "log lines repeat an error's text", "tests/test_telemetry.py",
        ("telemetry.py", 'line["error"] = _kinds(record.exc_info[1])', 'line["error"] = repr(record.exc_info[1])'),
    ),
    _mutant(
        "a server of another order is claimed", "tests/providers/cloud/test_transip_contract.py",
        ("providers/cloud/transip.py", "if owner not in {None, correlation}:", "if owner is Ellipsis:"),
    ),
    _mutant(
        "a droplet of another order is claimed", "tests/providers/cloud/test_digitalocean.py",
        ("providers/cloud/digitalocean.py", "if server.correlation not in {None, correlation}:",
         "if server.correlation is Ellipsis:"),
    ),
    _mutant(
        "an order runs under a label of its own choice", "tests/providers/cloud/test_linode.py",
        ("providers/cloud/linode_wire.py", '"label": correlation_tag(order.correlation),',
         '"label": label_of(order.hostname),'),
    ),
    _mutant(
        "a label is given away that is all that correlates", "tests/providers/cloud/test_linode.py",
        ("providers/cloud/linode.py", "        if tags_are_refused(response):\n            return False\n", ""),
    ),
    _mutant(
        "a list with a gap counts as complete", "tests/providers/cloud/test_digitalocean.py",
        ("providers/cloud/http.py", "if len(items) < len(body[name]) or not all(item.get(key) for item in items):",
         "if body is Ellipsis:"),
    ),
    _mutant(
        "the account's limits are not asked", "tests/providers/cloud/test_linode.py",
        ("providers/cloud/http.py", "            await self._gate.enter(*calls)\n", "            pass\n"),
    ),
    _mutant(
        "a zone of somebody else is taken over", "tests/providers/dns/test_zones.py",
        ("providers/dns/zone_shapes.py", 'if shape.get("account") != zone_mark(owner):', "if False:"),
    ),
    _mutant(
        "a zone may be made inside somebody else's", "tests/providers/dns/test_zones.py",
        ("providers/dns/zones.py", "            await self._refuse_inside_foreign(name, owner)\n", ""),
    ),
    _mutant(
        "a zone is removed with what others put into it", "tests/providers/dns/test_zones.py",
        ("providers/dns/zones.py", "        if foreign:\n", "        if False:\n"),
    ),
    _mutant(
        "a zone's last export is not kept", "tests/activities/test_zones.py",
        ("activities/_zones.py", "(await session.get_one(DnsZone, zone.id)).last_export = text",
         "await session.get_one(DnsZone, zone.id)"),
    ),
    _mutant(
        "two changes of a zone are written at once", "tests/activities/test_zone_changes.py",
        ("activities/_zones.py", "if not await zone_rows.hold(session, zone):", "if zone is Ellipsis:"),
    ),
    _mutant(
        "a zone's change counts before its name servers tell it", "tests/activities/test_zone_changes.py",
        ("activities/zone_changes.py", "return await await_published(servers, zone.zone_name, sets, changed.serial)",
         'return "written"'),
    ),
    _mutant(
        "a member sees other organizations' zones", "tests/api/test_zones.py",
        ("api/zone_access.py", "zone is None or not _may_see(principal, zone) or (", "zone is None or ("),
    ),
    _mutant(
        "what runs manage is changed by hand", "tests/api/test_zone_records.py",
        ("api/zone_records.py", "    if there.get(key):\n", "    if key is Ellipsis:\n"),
    ),
    _mutant(
        "a zone whose run was not told is forgotten", "tests/workflows/test_zones.py",
        ("db/queries/zone_changes.py", "DnsChange.state == ChangeState.WAITING, DnsChange.started_at.is_(None)",
         "DnsChange.state == ChangeState.FAILED, DnsChange.started_at.is_(None)"),
    ),
    _mutant(
        "one change takes over a set of somebody else", "tests/providers/dns/test_records.py",
        ("providers/dns/records.py", 'there[key].owner != owner]\n', 'False]\n'),
    ),
    _mutant(
        "parked records are written over", "tests/providers/dns/test_records.py",
        ("providers/dns/powerdns.py",
         "                    self._refuse_foreign(await self._searched(name, type_, zone), name, type_, owner)\n",
         "                    pass\n"),
    ),
    _mutant(
        "the primary's answer counts for its secondaries", "tests/providers/dns/test_propagation.py",
        ("providers/dns/propagation.py", "_behind(server, zone, sets, serial, timeout) for server in servers)",
         "_behind(servers[0], zone, sets, serial, timeout) for server in servers)"),
    ),
    _mutant(
        "a long pause reaches into a certificate's last days", "tests/domain/test_renewal.py",
        ("domain/renewal.py", "min(retry_at(failed, rules.retries, certificate.id), max(",
         "max(retry_at(failed, rules.retries, certificate.id), min("),
    ),
    _mutant(
        "the CA's window is not obeyed", "tests/domain/test_renewal.py",
        ("domain/renewal.py", "    if window is not None:\n", "    if window is Ellipsis:\n"),
    ),
    _mutant(
        "rehearsals put a renewal off for good", "tests/domain/test_renewal.py",
        ("domain/renewal.py", "if done.passed or done.failed >= rules.rehearsals:", "if done.passed:"),
    ),
    _mutant(
        "a CA's own refusal is forgotten", "tests/domain/test_ca_limits.py",
        ("domain/ca_limits.py", "at = max(now, spent.refused_until or now)", "at = now"),
    ),
    _mutant(
        "a predecessor that was replaced stops its renewal", "tests/providers/acme/test_renewals.py",
        ("providers/acme/orders.py", "if code_of(error) not in NO_PREDECESSOR and not _stumbled(session, error):",
         "if error:"),
    ),
    _mutant(
        "a look for an account makes one", "tests/providers/acme/test_accounts.py",
        ("providers/acme/accounts.py", "messages.NewRegistration(only_return_existing=True)",
         "messages.NewRegistration(terms_of_service_agreed=True)"),
    ),
    _mutant(
        "a wildcard is proven on its host", "tests/domain/test_challenges.py",
        ("domain/challenges.py", "    if wildcards:\n        return Challenge.DNS_01\n", ""),
    ),
    _mutant(
        "a list that the issuer has not signed is believed", "tests/providers/acme/test_revocation.py",
        ("providers/acme/revocation.py", "    if not _signed(made, issuer):", "    if made is Ellipsis:"),
    ),
    _mutant(
        "a window that went by counts as a revocation", "tests/domain/test_revocation.py",
        ("domain/revocation.py", "certificate.window.end <= now < usual", "certificate.window.end <= now"),
    ),
    _mutant(
        "a proof stays on its host", "tests/activities/test_proofs.py",
        ("activities/_proofs.py", "            await place.withdraw_challenge(token)", "            pass"),
    ),
    _mutant(
        "what is not seen from here stops a proof", "tests/providers/acme/test_wellknown.py",
        ("providers/acme/wellknown.py", "with contextlib.suppress(TimeoutError):", "with contextlib.nullcontext():"),
    ),
    _mutant(
        "a window of nonsense is believed", "tests/providers/acme/test_renewals.py",
        ("providers/acme/ari.py", "if window.end <= window.start:", "if window is Ellipsis:"),
    ),
    _mutant(
        "a record of somebody else is taken over", "tests/providers/dns/test_powerdns.py",
        ("providers/dns/powerdns.py", "if found is not None and found.owner != owner:\n            whose",
         "if found is Ellipsis:\n            whose"),
    ),
    _mutant(
        "a host with another key is talked to", "tests/providers/hosts/test_ssh.py",
        ("providers/hosts/ssh.py", "known_hosts=([pinned], [], []),",
         "known_hosts=None,"),
    ),
    _mutant(
        "unencrypted payloads are accepted", "tests/workflows/test_encryption.py",
        ("temporal.py", "            if self._accept_plain:\n", "            if payload:\n"),
    ),
    _mutant(
        "offers of an account as it was are kept", "tests/activities/test_offers.py",
        (OFFERS, "if await offers.standing(session, provider_id, hold=True) != before:", "if before is Ellipsis:"),
    ),
    _mutant(
        "fresh offers are asked for again", "tests/activities/test_offers.py",
        (OFFERS, "if row is not None and row.fresh_until > asked_at:", "if row is Ellipsis:"),
    ),
    _mutant(
        "offers are forgotten without waiting for an answer under way", "tests/db/test_offers.py",
        ("db/queries/offers.py", "where(ServiceProvider.id == provider_id).with_for_update())",
         "where(ServiceProvider.id == provider_id))"),
    ),
    _mutant(
        "a cloud that refuses our account signs the user out of its offers", "tests/api/test_provider_errors.py",
        ("api/provider_errors.py", "ErrorCode.STEP_FAILED, ErrorCode.INVALID_CREDENTIALS})",
         "ErrorCode.STEP_FAILED})"),
    ),
    _mutant(
        "calls are made without a budget when PostgreSQL is away", "tests/activities/test_gate.py",
        (GATE, "            raise Transient(", "            return\n            raise Transient("),
    ),
    _mutant(
        "who has begun is sent away like everybody", "tests/activities/test_gate.py",
        (GATE, "PATIENCE_UNDER_WAY if self._account in _under_way.get() else PATIENCE", "PATIENCE"),
    ),
    _mutant(
        "a cloud's 429 stops nobody", "tests/db/test_budgets.py tests/activities/test_gate.py",
        ("domain/budgets.py", "max(now, standing.free_at - pace.lead, standing.blocked_until or now)",
         "max(now, standing.free_at - pace.lead)"),
        ("domain/budgets.py", "free_at=max(standing.free_at, longest + pace.lead)", "free_at=standing.free_at"),
    ),
    _mutant(
        "the budget is read without its lock", "tests/db/test_budgets.py",
        (BUDGETS, ".order_by(CallBudget.calls).with_for_update()", ".order_by(CallBudget.calls)"),
    ),
    _mutant(
        "a burst may follow a full minute", "tests/domain/test_budgets.py",
        ("domain/budgets.py", "(seconds + SLACK_SECONDS) / max(1, count - burst)", "seconds / count"),
    ),
    _mutant(
        "a shared list proves absence", "tests/activities/test_looks.py",
        ("activities/_looks.py", "return servers.get(ref) or await cloud.get(ref)", "return servers[ref]"),
    ),
    _mutant(
        "an operator's rates are overwritten by workers", "tests/workers/test_limits.py",
        ("workers/limits.py", 'HasField("fairness_keys_rate_limit_default"):\n                continue',
         'HasField("fairness_keys_rate_limit_default"):\n                pass'),
    ),
    _mutant(
        "standing in line parks a step", "tests/workflows/test_provisioning.py",
        (STEPS, "if not stood_in_line(name, error) or waited", "if error or waited"),
    ),
    _mutant(
        "an order is looked for at the account that orders go to by now", "tests/activities/test_clouds.py",
        (SERVERS, "facts.server\n            cloud = await cloud_of_server(self._deps, vps)",
         "facts.server\n            cloud = await cloud_of(self._deps, call.inputs.provider, call.inputs.provider_id)"),
    ),
    _mutant(
        "an account that cannot be listed counts as empty", "tests/activities/test_clouds.py",
        ("activities/_listing.py", 'raise NotListed(f"the list failed: {error.message}") from None', "servers = []"),
    ),
    _mutant(
        "a webhook is believed whoever signed it", "tests/providers/payments/test_webhook.py",
        (WEBHOOK, "if not sum(", "if False and not sum("),
    ),
    _mutant(
        "a webhook of last year is news", "tests/providers/payments/test_webhook.py",
        (WEBHOOK, "if signed_at < now - tolerance:", "if signed_at < 0:"),
    ),
    _mutant(
        "an empty secret verifies", "tests/providers/payments/test_webhook.py",
        (WEBHOOK, "if not keys or not all(keys):", "if not keys:"),
    ),
    _mutant(
        "a checkout that is completed counts as paid", "tests/providers/payments/test_events.py",
        ("providers/payments/events.py", 'if read["payment_status"] == "unpaid":', 'if read["payment_status"] == "":'),
    ),
    _mutant(
        "a refund is sent again without looking", "tests/providers/payments/test_stripe.py",
        ("providers/payments/stripe.py", "if refund.metadata.get(MARK) == key:", "if refund.metadata.get(MARK) == '':"),
    ),
    _mutant(
        "a payment that is being ordered for is ordered for again", "tests/db/test_orders.py",
        ("db/queries/orders.py", "    await lock(session, PAYMENT_LOCK, payment_intent)\n", "    pass\n"),
    ),
    _mutant(
        "a payment is ordered for again with other words", "tests/db/test_orders.py",
        ("db/queries/orders.py", "        if kept != given:", "        if kept is given is None:"),
    ),
    _mutant(
        "any internal key orders", "tests/api/test_orders.py",
        ("api/orders.py", "if not sum(hmac", "if False and not sum(hmac"),
    ),
    _mutant(
        "a payment of any amount is an order", "tests/api/test_payments.py",
        ("db/queries/payments.py", "if facts.amount not in (None, price.amount_cents)", "if facts.amount is None"),
    ),
    _mutant(
        "an older invoice shortens a period", "tests/api/test_payments.py",
        ("db/queries/payments.py", "told.period_end > row.current_period_end", "told.period_end"),
        ("domain/payments.py", "end, start = max(periods", "end, start = min(periods"),
    ),
    _mutant(
        "a payment resumes whatever is suspended", "tests/api/test_payments.py",
        ("db/queries/payments.py", "if row.past_due_since is None or not _made_good(row, told):",
         "if row.status != SubscriptionStatus.SUSPENDED:"),
    ),
    _mutant(
        "an account with servers is removed", "tests/db/test_providers.py",
        ("db/queries/providers.py", "    if count:\n        raise ServersLive(count)",
         "    if count < 0:\n        raise"),
    ),
    _mutant(
        "a machine's key opens what its scopes do not", "tests/api/test_api_keys.py",
        ("api/deps.py", "if machine is not None and scope not in machine.scopes:", "if machine is Ellipsis:"),
    ),
    _mutant(
        "a tenant's machine reads another tenant's instance", "tests/api/test_isolation.py",
        ("api/instances.py", "        return bool(tenant == row[\"tenant_id\"])", "        return True"),
    ),
    _mutant(
        "a tenant's machine reads what is the house's", "tests/api/test_isolation.py",
        ("api/deps.py", "machine.tenant_id is not None and scope in OF_THE_HOUSE:", "scope is Ellipsis:"),
    ),
    _mutant(
        "a tenant's machine orders for another tenant's organization", "tests/api/test_isolation.py",
        ("db/queries/ordering.py", " and within in (None, row.tenant_id)", ""),
    ),
    _mutant(
        "a revoked machine's key is taken", "tests/api/test_api_keys.py",
        ("db/queries/api_keys.py", "if row.revoked_at is not None or (", "if ("),
    ),
    _mutant(
        "two choices of a house server run at once", "tests/db/test_house_servers.py",
        ("db/queries/house_servers.py", "    await session.execute(select(func.pg_advisory_xact_lock(CHOICE_LOCK)))\n",
         ""),
    ),
    _mutant(
        "what a given-up task wrote stays", "tests/db/test_journal.py",
        (JOURNAL, "or (d.task, d.seq) < (cast(%(task)s as bigint), cast(%(seq)s as bigint))",
         "or d.seq < cast(%(seq)s as bigint)"),
    ),
    _mutant(
        "what a given-up task told stays in the journal", "tests/db/test_journal.py",
        (JOURNAL, "   where known.task < excluded.task\n", "   where known.task > excluded.task\n"),
    ),
    _mutant(
        "what a given-up task told beyond its successor stays", "tests/db/test_journal.py",
        (JOURNAL, "        await driver.execute(_FORGET[batch.kind], values)\n", "        pass\n"),
    ),
    _mutant(
        "a given-up task writes after its successor", "tests/db/test_journal.py",
        (JOURNAL, "   where taken.heard\n", ""),
    ),
    _mutant(
        "what was handed over is undone", "tests/workflows/test_late_cancellation.py",
        (RECORDS, "            if row.activated_at is None:\n                row.phase",
         "            if row:\n                row.phase"),
    ),
    _mutant(
        "what was called back is handed over", "tests/workflows/test_late_cancellation.py",
        (RECORDS, "            if row.phase not in (Phase.RUNNING, Phase.ACTIVE):", "            if row is Ellipsis:"),
    ),
    _mutant(
        "an order that is live is taken back and paid back", "tests/workflows/test_late_cancellation_of_orders.py",
        (DELIVERIES, "            if held.subscription.activated_at is not None:\n                return ids.access",
         "            if held is Ellipsis:\n                return ids.access"),
    ),
    _mutant(
        "an order that was called back goes live", "tests/workflows/test_late_cancellation_of_orders.py",
        (DELIVERIES, "            if job.phase != Phase.RUNNING:", "            if job is Ellipsis:"),
    ),
    _mutant(
        "a cancellation stops a rollback", "tests/workflows/test_late_cancellation.py",
        (STEPS, "        return await uninterrupted(work)\n", "        return await work\n"),
    ),
    _mutant(
        "the last administrator is taken away", "tests/api/test_users.py",
        (PEOPLE, "    if not (await session.execute(others)).scalar_one():",
         "    if (await session.execute(others)).scalar_one() < 0:"),
    ),
    _mutant(
        "two administrators take each other away", "tests/api/test_users.py",
        (PEOPLE, "    await session.execute(select(func.pg_advisory_xact_lock(PEOPLE_LOCK)))", "    pass"),
    ),
    _mutant(
        "a price that may have been sold is changed", "tests/api/test_products.py",
        (PRODUCTS, "        beginning.append(new)\n        if old is not None:\n            ending.append(old)\n",
         "        if old is not None:\n            old.amount_cents, old.limits_json = new.amount_cents, new.limits\n"
         "            continue\n        beginning.append(new)\n"),
        (PRODUCTS, "    return named or bool(ending or beginning)", "    return bool(prices)"),
    ),
    _mutant(
        "a one-time link works twice", "tests/api/test_password_reset.py",
        (LINKS, "OneTimeLink.used_at.is_(None), OneTimeLink.expires_at > now)\n        .values(used_at=now)",
         "OneTimeLink.expires_at > now)\n        .values(used_at=now)"),
    ),
    _mutant(
        "a one-time link works for ever", "tests/api/test_password_reset.py",
        (LINKS, "OneTimeLink.used_at.is_(None), OneTimeLink.expires_at > now)\n        .values(used_at=now)",
         "OneTimeLink.used_at.is_(None))\n        .values(used_at=now)"),
    ),
    _mutant(
        "an older link outlives a newer one", "tests/api/test_password_reset.py",
        (LINKS, "    await end(session, user_id, purpose)\n    token", "    token"),
    ),
    _mutant(
        "who asks learns who has an account", "tests/api/test_password_reset.py",
        (RESET, '{"message": _SENT}, 202,', '{"message": _SENT}, 202 if mail else 404,'),
    ),
    _mutant(
        "the time of an answer tells who has an account", "tests/api/test_password_reset.py",
        (RESET, "    await asyncio.sleep(max(0.0, ANSWER_SECONDS - (time.monotonic() - began)))\n", ""),
    ),
    _mutant(
        "a mailbox is filled with links", "tests/api/test_password_reset.py",
        (RESET, ">= LINKS_AN_HOUR:", "< 0:"),
    ),
    _mutant(
        "sessions outlive a password that was reset", "tests/api/test_password_reset.py",
        (RESET, "        await tokens.revoke_all(session, user.id)\n", ""),
    ),
    _mutant(
        "a mail that was sent or given up is sent", "tests/db/test_mails.py",
        (MAILS, '    if mail is None or mail.state != "waiting":', "    if mail is None:"),
    ),
    _mutant(
        "a mail that was given up keeps its token", "tests/db/test_mails.py",
        (MAILS, "last_error=clip(message))\n    )\n    await secrets.destroy_global(session, _purpose(mail_id))\n",
         "last_error=clip(message))\n    )\n"),
    ),
    _mutant(
        "a mail that was started is started again", "tests/db/test_mails.py",
        (MAILS, "        .where(OutgoingMail.started_at.is_(None), OutgoingMail.created_at < before)",
         "        .where(OutgoingMail.created_at < before)"),
    ),
    _mutant(
        "a subscription is suspended within its grace", "tests/domain/test_lifecycle.py",
        (LIFECYCLE, "held.past_due_since + GRACE <= now", "held.past_due_since <= now"),
    ),
    _mutant(
        "a subscription that pays by the day is late", "tests/domain/test_lifecycle.py",
        (LIFECYCLE, "held.period_end + TOLERANCE <= now", "held.period_end <= now"),
    ),
    _mutant(
        "what an operator suspended ends by itself", "tests/domain/test_lifecycle.py",
        (LIFECYCLE, "SUSPENDED if held.suspended_for == NON_PAYMENT:", "SUSPENDED:"),
    ),
    _mutant(
        "a site is removed before it is backed up", "tests/workflows/test_subscription_end.py",
        (CHANGES, "        await self._back_up()\n        self._burn_bridges()\n", "        self._burn_bridges()\n"),
    ),
    _mutant(
        "a removal that has begun is taken back", "tests/workflows/test_subscription_end.py",
        (CHANGES, "        self.reversible = False\n        self._undos.clear()\n", ""),
    ),
    _mutant(
        "the old certificate is not put back", "tests/workflows/test_renewals.py",
        (RENEWALS, "if renewal.old_serves and not is_cancelled_exception(error):", "if False:"),
    ),
    _mutant(
        "an order at a CA that broke off is forgotten", "tests/activities/test_renewals.py",
        (ORDERS_AT_CA, "if open_order is not None and isinstance(error, Transient) and not unseen:", "if False:"),
    ),
    _mutant(
        "a spent limit of a CA stops no order", "tests/activities/test_renewals.py",
        (ORDERS_AT_CA, "if found.by is not None:", "if False:"),
    ),
    _mutant(
        "a claimed certificate is due again at once", "tests/db/test_certificates.py",
        (CERTIFICATES, "row.renew_after = now + lease", "row.renew_after = now"),
    ),
    _mutant(
        "a drill goes on where an account's orders are used up", "tests/activities/test_drills.py",
        ("activities/_drills.py", "        if await _held_up(deps, session, drill, now):\n            return 0\n", ""),
    ),
    _mutant(
        "a drill makes due again what it made due", "tests/db/test_drills.py",
        (DRILLS, 'text("replace_after is null"),', ""),
    ),
    _mutant(
        "a drill takes what is not served", "tests/db/test_drills.py",
        (DRILLS, "_ISSUED = Certificate.renew_after.is_not(None) & ", "_ISSUED = "),
    ),
    _mutant(
        "a drill catches up with all of a gap", "tests/domain/test_drills.py",
        ("domain/drills.py", "CATCH_UP = timedelta(minutes=2)", "CATCH_UP = timedelta(days=2)"),
    ),
    _mutant(
        "an uploaded key is signed for by our CA", "tests/activities/test_shared_certificates.py",
        ("activities/renewals.py",
         "return await shared_certificates.is_shared(session, facts(csr_pem).key_sha256)", "return False"),
    ),
    _mutant(
        "an uploaded key travels where that is switched off", "tests/activities/test_shared_certificates.py",
        ("activities/_shared_keys.py",
         "        if not self._deps.config.shared_keys:\n            raise", "        if False:\n            raise"),
    ),
    _mutant(
        "an uploaded key is taken where that is switched off", "tests/api/test_uploads.py",
        ("api/uploads.py", "if not services(request).settings.shared_keys:", "if False:"),
    ),
    _mutant(
        "an uploaded certificate that was withdrawn comes again", "tests/db/test_shared_certificates.py",
        (SHARED, "    if row.withdrawn_at is not None:\n        raise Withdrawn\n", ""),
    ),
)  # fmt: skip
