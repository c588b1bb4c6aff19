"""A site's certificate on real parts: what is served, what the CA is told, what the rows say, and the keys on the host.

Twelve hours between two questions for a window are not waited for: the row's next question is moved to now.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from psycopg.rows import dict_row
from temporalio.client import Client

from db.keyring import KeyRing
from providers.acme.client import AcmeClient, Reason
from providers.acme.csr import key_sha256
from providers.hosting.account import CHALLENGES, STATE
from providers.hosts.challenges import WELL_KNOWN
from providers.hosts.ssh import connect
from tests.e2e import canaries
from tests.e2e.shop import Shop
from tests.providers.acme.bought import Seller
from workers.schedules import CERTIFICATE_SWEEP

PATIENCE = 240.0


class SiteCertificate:
    """`keys`: every private key, PEM, that was seen on the server."""

    def __init__(self, shop: Shop, name: str) -> None:
        self.shop, self.stack, self.name = shop, shop.stack, name
        self.keys: set[str] = set()

    # ---- the API

    def shown(self) -> dict[str, Any]:
        answer = self.stack.http.get(f"/api/ssl/certificate/{self.name}")
        answer.raise_for_status()
        return dict(answer.json()["certificate"])

    def renewed(self, how: str) -> dict[str, Any]:
        """Asked for by an operator."""
        before = self.shown()
        self.stack.http.post(f"/api/ssl/renew/{self.name}{how}").raise_for_status()
        return self.awaited(before, sweep=False)

    def awaited(self, before: dict[str, Any], *, sweep: bool = True) -> dict[str, Any]:
        """The successor once it is served, with its predecessor named at the CA. `sweep`: nobody asks for it."""
        now = self._changed(before, sweep=sweep)
        self.see(now)
        if int(before["serial"], 16).bit_length() % 8:  # Pebble 2.10 cannot find others (AGENTS.md)
            assert self.row(now)["replaces"] == self.row(before)["certificate_id"]
        return now

    def uploaded(self, seller: Seller) -> dict[str, Any]:
        """One that was bought elsewhere, whose seller is trusted here: put in the place of what is served."""
        bought = seller.sell(self.name, f"*.{self.name}")
        with Path(self.stack.details["ca_file"]).open("a") as trusted:
            trusted.write(seller.root_pem)
        before = self.shown()
        body = {"certificate": bought.chain_pem, "privateKey": bought.key_pem, "domains": [self.name]}
        answer = self.stack.http.post("/api/ssl/upload", json=body)
        assert answer.status_code == 201, answer.text
        now = self._changed(before)
        assert f"{bought.leaf.serial_number:x}" == now["serial"]
        self.see(now)
        return now | {"upload": answer.json()["certificate"]["id"]}

    def withdrawn(self, uploaded: dict[str, Any]) -> dict[str, Any]:
        self.stack.http.post(f"/api/ssl/uploads/{uploaded['upload']}/withdraw").raise_for_status()
        now = self._changed(uploaded)
        self.see(now)
        return now

    def see(self, shown: dict[str, Any]) -> None:
        """This very certificate is served for both names, and its key lies on the server."""
        for name in (self.name, f"www.{self.name}"):
            assert self.stack.get_site(self.shop.address, name)[0] == 200
            assert f"{self._leaf(name).serial_number:x}" == shown["serial"]
        key = asyncio.run(self._key())
        private = load_pem_private_key(key.encode(), None)
        assert key_sha256(private.public_key()) == shown["key_sha256"]
        self.keys.add(key)

    # ---- the CA

    def move_window(self, shown: dict[str, Any]) -> None:
        """Its window is open, and nearly over: any moment chosen inside it has passed."""
        now, chain = datetime.now(UTC).replace(microsecond=0), self.row(shown)["chain_pem"]
        window = {"start": (now - timedelta(days=30)).isoformat(), "end": (now + timedelta(minutes=10)).isoformat()}
        leaf, mark, _ = chain.partition("-----END CERTIFICATE-----")
        body = {"certificate": f"{leaf}{mark}\n", "ariResponse": json.dumps({"suggestedWindow": window})}
        trust = ssl.create_default_context(cafile=str(self._trust()))
        with httpx.Client(verify=trust, trust_env=False) as asking:
            asking.post(f"{self._management()}/set-renewal-info/", json=body).raise_for_status()
        self._ask_again(shown)

    def revoke(self, shown: dict[str, Any]) -> None:
        """By the account that ordered it."""
        row = self.row(shown)
        client = AcmeClient(row["directory_url"], ca_file=self._trust())
        secrets = json.loads((self.stack.state / "secrets.json").read_text())
        ring = KeyRing.parse(next(value for name, value in secrets.items() if "secret_keys" in name.lower()))
        (kept,) = self._rows("select id, key_id, ciphertext from secrets where starts_with(purpose, 'acme-account:')")
        account = ring.decrypt(kept["key_id"], bytes(kept["ciphertext"]), context=f"secrets/{kept['id']}").decode()
        assert asyncio.run(client.revoke(account, row["chain_pem"], Reason.KEY_COMPROMISE))
        self._ask_again(shown)

    # ---- rows and files

    def row(self, shown: dict[str, Any]) -> dict[str, Any]:
        (found,) = self._rows("select * from certificates where id = %s", shown["id"])
        return found

    def tokens(self) -> list[str]:
        """Challenges that lie on the server."""

        async def look() -> str:
            async with connect(self.shop.target) as host:
                return (await host.run(["ls", "-A", f"{CHALLENGES}{WELL_KNOWN}"])).stdout

        return asyncio.run(look()).split()

    def key_texts(self) -> set[str]:
        """Each key in every form that it could be carried in: lines of its PEM, its bytes, and the number alone."""
        texts: set[str] = set()
        for pem in self.keys:
            private = load_pem_private_key(pem.encode(), None)
            assert isinstance(private, EllipticCurvePrivateKey)
            number = private.private_numbers().private_value.to_bytes(32, "big")
            der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            # The first two lines hold what is private, the third is of the public half.
            told = [base64.b64encode(number).decode()[:40], base64.b64encode(der).decode()]
            texts |= {*pem.splitlines()[1:3], *told, number.hex(), number.decode("latin-1")}
        return texts

    def channels(self) -> dict[str, str]:
        runs, histories = asyncio.run(canaries.histories(self.stack.details["temporal_address"]))
        assert runs > 0
        return {
            "Temporal's histories": histories,
            "Temporal's database": canaries.temporal_files(self.stack),
            "our database": canaries.database(self.stack),
            "log files": "\n".join(canaries.logs(self.stack).values()),
            "the content that is told": self.stack.http.get(f"/api/ssl/certificate/{self.name}/content").text,
        }

    # ---- parts

    def _changed(self, before: dict[str, Any], *, sweep: bool = False) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while (now := self.shown())["id"] == before["id"]:
            assert time.monotonic() < deadline, now
            if sweep:
                asyncio.run(self._sweep())
            time.sleep(2)
        return now

    def _rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        url = self.stack.details["database_url"].replace("+psycopg", "")
        with psycopg.connect(url, row_factory=dict_row) as connection:
            done = connection.execute(query, values)  # type: ignore[arg-type] - constant texts
            return done.fetchall() if done.description else []

    def _ask_again(self, shown: dict[str, Any]) -> None:
        now = "renew_after = now(), next_poll = now(), next_action = 'poll'"
        self._rows(f"update certificates set {now} where id = %s", shown["id"])

    async def _sweep(self) -> None:
        client = await Client.connect(self.stack.details["temporal_address"])
        await client.get_schedule_handle(CERTIFICATE_SWEEP).trigger()

    def _leaf(self, name: str) -> x509.Certificate:
        context = ssl.create_default_context(cafile=self.stack.details["ca_file"])
        with (
            socket.create_connection((self.shop.address, 443), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname=name) as secure,
        ):
            found = secure.getpeercert(binary_form=True)
        assert found is not None
        return x509.load_der_x509_certificate(found)

    async def _key(self) -> str:
        (held,) = self._rows(
            "select system_user from hosting_accounts where fqdn = %s and status <> 'REMOVED'", self.name
        )
        async with connect(self.shop.target) as host:
            return str(await host.read(f"{STATE}/accounts/{held['system_user']}/tls/key.pem"))

    def _pebble(self) -> dict[str, Any]:
        return dict(json.loads((self.stack.state / "names" / "pebble" / "pebble.json").read_text())["pebble"])

    def _management(self) -> str:
        return f"https://{self._pebble()['managementListenAddress']}"

    def _trust(self) -> Path:
        """What the CA's own API is trusted by."""
        from sandbox.lab import Lab

        return next(path for path in (Lab().authority / "ca.pem", self.stack.state / "names" / "authority" / "ca.pem")
                    if path.exists())  # fmt: skip
