"""A CA that publishes a list of revoked certificates and gives no windows, and the web server the list lies on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.embedded import Embedded

DAY = timedelta(days=1)


class ListingCa:
    """`revoked` are serials. What else can be said of the list: it is late, another's, of another place, too long,
    silent, moved, or no list at all."""

    def __init__(self) -> None:
        self.key, self.subject = ec.generate_private_key(ec.SECP256R1()), _name("Lists")
        self.signer = self.key
        self.issuer = self._sign(self.subject, self.key.public_key(), ca=True)
        self.revoked: set[int] = set()
        self.asked = 0
        self.port = 0
        self.status = 200
        self.body: bytes | None = None
        self.silent = 0.0
        self.moved = False
        self.place = ""
        self.left = 2 * DAY

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/lists/1.crl"

    def chain(self, name: str = "a.test", *, age: timedelta = DAY, url: str | None = None) -> str:
        """A certificate of ninety days, with its issuer behind it."""
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        leaf = self._sign(x509.Name([]), key, names=[name], url=self.url if url is None else url, age=age)
        return "".join(one.public_bytes(Encoding.PEM).decode() for one in (leaf, self.issuer))

    def list(self) -> bytes:
        now = datetime.now(UTC)
        made = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.subject)
            .last_update(now - 3 * DAY)
            .next_update(now + self.left)
        )
        if self.place:
            point = x509.IssuingDistributionPoint(
                [x509.UniformResourceIdentifier(self.place)], None, True, False, None, False, False
            )
            made = made.add_extension(point, critical=True)
        for serial in self.revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - DAY)
            made = made.add_revoked_certificate(entry.build())
        return made.sign(self.signer, hashes.SHA256()).public_bytes(Encoding.DER)

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, names: list[str] | None = None, url: str = "",
        ca: bool = False, age: timedelta = DAY,
    ) -> x509.Certificate:  # fmt: skip
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - age)
            .not_valid_after(now - age + 90 * DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
        if url:
            point = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
            made = made.add_extension(x509.CRLDistributionPoints([point]), critical=False)
        return made.sign(self.key, hashes.SHA256())

    async def answer(self, request: Request) -> Response:
        self.asked += 1
        if self.moved:
            return RedirectResponse("http://127.0.0.1:9/")
        await asyncio.sleep(self.silent)
        return Response(self.list() if self.body is None else self.body, self.status, media_type="application/pkix-crl")


def serial_of(chain_pem: str) -> int:
    return x509.load_pem_x509_certificate(chain_pem.encode()).serial_number


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


@contextlib.asynccontextmanager
async def listing_ca() -> AsyncIterator[ListingCa]:
    ca = ListingCa()
    async with Embedded(Starlette(routes=[Route("/lists/{name}", ca.answer)]), "127.0.0.1:0") as http:
        ca.port = http.port
        yield ca
