"""Whether a certificate counts as revoked, by what its CA lets us see. Pure.

the CA's list (CRL) could be read   it decides, either way
no list                             a window that is over although the certificate's own dates would still wait: so
                                    a CA says "at once" (RFC 9773 §4.1). One that merely went by, while we were
                                    away, is a late renewal and no more.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime

from domain.renewal import DEFAULT_RULES, Certificate, RenewalRules, due_at


def is_revoked(
    certificate: Certificate, listed: bool | None, now: datetime, rules: RenewalRules = DEFAULT_RULES
) -> bool:
    """`listed` None: there is no list, or it could not be read. What was revoked once stays so."""
    if certificate.revoked or listed is not None:
        return certificate.revoked or bool(listed)
    usual = due_at(dataclasses.replace(certificate, window=None), rules)
    return certificate.window is not None and certificate.window.end <= now < usual


def to_be_looked_up(certificate: Certificate, now: datetime) -> bool:
    """Whether the list is worth a question: no window was given, or the one that was is over."""
    return not certificate.revoked and (certificate.window is None or certificate.window.end <= now)
