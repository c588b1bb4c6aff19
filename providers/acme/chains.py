"""What a CA hands out: a chain, leaf first, and which of several chains is taken. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import NameOID
from pydantic import BaseModel

from providers.acme.ari import certificate_id
from providers.acme.csr import CsrFacts, key_sha256, key_type
from providers.acme.problems import PROVIDER
from providers.errors import Transient


class Issued(BaseModel):
    """A chain, leaf first, and what its leaf says. `serial` is hexadecimal, `issuer` in RFC 4514 form.

    `certificate_id` names the leaf to its CA (RFC 9773); "" where the leaf does not name its issuer's key. `replaces`
    is that of the predecessor, where the CA accepted it: such an order counts against no limit.
    """

    chain_pem: str
    serial: str
    issuer: str
    not_before: datetime
    not_after: datetime
    names: list[str]
    key_sha256: str
    key_type: str = ""
    certificate_id: str = ""
    replaces: str = ""


def read_chain(chain_pem: str, wanted: CsrFacts, *, replaces: str = "") -> Issued:
    """Transient: it cannot be read, is for another key than the CSR's, or lacks one of its names."""
    try:
        leaf = x509.load_pem_x509_certificates(chain_pem.encode())[0]
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise Transient(f"the CA's chain cannot be read: {error}", provider=PROVIDER) from error
    key = key_sha256(leaf.public_key())
    if key != wanted.key_sha256:
        raise Transient("the CA's certificate is for another key than the CSR's", provider=PROVIDER)
    named = sorted(name.lower() for name in names.get_values_for_type(x509.DNSName))
    if missing := sorted(set(wanted.names) - set(named)):
        raise Transient(f"the CA's certificate lacks {', '.join(missing)}", provider=PROVIDER)
    return Issued(
        chain_pem=chain_pem,
        serial=f"{leaf.serial_number:x}",
        issuer=leaf.issuer.rfc4514_string(),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        names=named,
        key_sha256=key,
        key_type=key_type(leaf.public_key()),
        certificate_id=certificate_id(leaf) or "",
        replaces=replaces,
    )


def leads_to(chain_pem: str, common_name: str) -> bool:
    """Whether the chain's last certificate was issued by a CA of that common name. False for what cannot be read."""
    try:
        top = x509.load_pem_x509_certificates(chain_pem.encode())[-1]
    except ValueError:
        return False
    return common_name in {str(item.value) for item in top.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)}


def choose_chain(chains: Sequence[str], preferred: str) -> str:
    """The chain that leads to the preferred issuer, else the first one: a wish must never cost a certificate."""
    return next((chain for chain in chains if preferred and leads_to(chain, preferred)), chains[0])
