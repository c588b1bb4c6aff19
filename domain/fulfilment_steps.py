"""The steps of delivering an order, of its three parts, and of taking it back (R234–R243)."""

from __future__ import annotations

from domain.step import Step, step

FULFILMENT: tuple[Step, ...] = (
    step("claim_names", "Claim names", "Claiming the name and places on servers",
         editable=("domain", "runtime", "web_server_id", "mail_server_id")),
    step("provision_dns", "DNS", "Making zone and records", "claim_names"),
    step("provision_hosting", "Hosting", "Making the site", "claim_names"),
    step("provision_mail", "Mail", "Making the mailbox", "claim_names"),
    step("make_site_csr", "Make key and CSR", "Making the site's TLS key on its server", "provision_hosting"),
    step("issue_site_certificate", "Issue certificate", "Issuing the site's certificate",
         "make_site_csr", "provision_dns", editable=("acme_profile", "challenge")),
    step("configure_site_tls", "Configure TLS", "Installing the site's certificate", "issue_site_certificate"),
    step("check_site", "Check from outside", "Looking at the site from outside", "configure_site_tls"),
    step("hand_over_order", "Hand over", "Handing over to the customer", "check_site", "provision_mail"),
)  # fmt: skip

DNS_PART: tuple[Step, ...] = (
    step("publish_zone", "Create zone", "Creating the zone"),
    step("publish_records", "Publish records", "Publishing records at every name server", "publish_zone"),
)
HOSTING_PART: tuple[Step, ...] = (
    step("create_account", "Create account", "Creating the system user and its home"),
    step("create_site", "Create site", "Creating the site", "create_account"),
)
MAIL_PART: tuple[Step, ...] = (step("create_mailbox", "Create mailbox", "Creating the mailbox"),)
PARTS: tuple[Step, ...] = (*DNS_PART, *HOSTING_PART, *MAIL_PART)

# What only happens on the way back; "prove_absence" and "release" are those of every run.
TAKING_BACK: tuple[Step, ...] = (
    step("refund_order", "Refund", "Paying the customer back", editable=("refund_reference",), owner="billing"),
)
