"""One emulated host, its keys, and a certificate authority for the certificates its sites get."""

from __future__ import annotations

import datetime
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from providers.hosts.application import Application
from providers.hosts.blueprints import AdminAccount, Blueprints, DeployContext
from providers.hosts.cloud_init import new_keypair, user_data
from providers.hosts.setup import SetUpPlan, deploy_target
from providers.hosts.target import HostTarget
from sandbox.hosts.driver import HostSpec
from sandbox.hosts.emulated import EmulatedDriver
from sandbox.hosts.emulated.machine import Machine

# Of this process alone: several test runs may share a machine.
POOL = f"127.{80 + os.getpid() % 100}.{os.getpid() // 100 % 250}.0/24"
BLUEPRINTS = Blueprints(Path(__file__).parents[3] / "deploy" / "blueprints")


class Authority:
    """Signs a CSR, as an ACME server would after its checks."""

    def __init__(self, folder: Path) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test root")])
        self.root = self._builder(self.name, self.key.public_key(), 3650).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        ).add_extension(
            x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True
        ).add_extension(
            x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False
        ).sign(self.key, hashes.SHA256())  # fmt: skip
        self.file = folder / "root.pem"
        self.file.write_bytes(self.root.public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key)
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(minutes=1))
            .not_valid_after(now + datetime.timedelta(days=days))
        )  # fmt: skip

    def sign(self, csr_pem: str, days: int = 90) -> str:
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        assert csr.is_signature_valid
        key = csr.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        san = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        leaf = (
            self._builder(x509.Name([]), key, days).add_extension(san, critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )  # fmt: skip
        return "".join(c.public_bytes(serialization.Encoding.PEM).decode() for c in (leaf, self.root))


@dataclass
class Story:
    """What procedures said, and the lines that came off the host."""

    said: list[str] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)

    async def say(self, text: str) -> None:
        self.said.append(text)

    async def sink(self, stream: str, text: str) -> None:
        self.lines.append((stream, text))

    def take(self) -> list[str]:
        said, self.said = self.said, []
        return said


@dataclass
class Subject:
    """One server with an application on it, as the procedures see it."""

    driver: EmulatedDriver
    name: str
    root: HostTarget
    plan: SetUpPlan
    app: Application
    values: dict[str, str]
    admin: AdminAccount
    story: Story
    authority: Authority

    @property
    def deploy(self) -> HostTarget:
        return deploy_target(self.root)

    @property
    def machine(self) -> Machine:
        return self.driver.machine(self.name)

    @property
    def secret_values(self) -> list[str]:
        return [*self.values.values(), self.admin.password]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
async def driver(tmp_path: Path) -> AsyncIterator[EmulatedDriver]:
    made = EmulatedDriver(tmp_path / "hosts", address_pool=POOL)
    await made.open()
    yield made
    await made.close()


async def born(driver: EmulatedDriver, authority: Authority, *, name: str = "acme-vps-1", **spec: int) -> Subject:
    """A freshly installed host and everything that is needed to work on it."""
    private, public = new_keypair()
    host_private, host_public = new_keypair()
    address = await driver.reserve_address()
    document = user_data(hostname=name, authorized_key=public, host_private_key=host_private,
                         host_public_key=host_public, apt_source="deb [trusted=yes] file:/srv/apt ./")  # fmt: skip
    await driver.create(HostSpec(name=name, address=address, hostname=name, user_data=document, **spec))
    await driver.start(name)
    blueprint = BLUEPRINTS.get("recruitiq")
    context = DeployContext(slug="acme", fqdn="acme.recruitiq.nl", organization_name="Acme & Söhne", tier="starter",
                            https_port=driver.ports.https, registry="registry.test:5000")  # fmt: skip
    return Subject(
        driver=driver,
        name=name,
        root=HostTarget(address=address, port=driver.ports.ssh, private_key=private, host_key=host_public),
        plan=SetUpPlan(authorized_key=public, minimum_memory_mb=blueprint.minimum_memory_mb, lock_patience=0),
        app=Application(blueprint, context),
        values={s.name: s.generate() for s in blueprint.secrets},
        admin=AdminAccount(email="admin@acme.test", name="Jo O'Neil", password='P4ss\'w$rd\\ #"x"'),
        story=Story(),
        authority=authority,
    )


@pytest.fixture
async def subject(driver: EmulatedDriver, authority: Authority) -> Subject:
    return await born(driver, authority)
