"""Authorizations and their challenges (RFC 8555 §7.5): offered, taken up, looked at, decided."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.acme.accounts import own
from sandbox.acme.problems import Problem
from sandbox.acme.renewals import stamp
from sandbox.acme.signed import Signed, thumbprint
from sandbox.acme.store import Store
from sandbox.acme.validation import fetch_token, find_record


class Proofs:
    """`reuse` is for how long a proven name counts as proven for the same account."""

    def __init__(self, store: Store, dns: tuple[str, int], http_port: int, reuse: timedelta) -> None:
        self._store = store
        self._dns = dns
        self._http_port = http_port
        self._reuse = reuse
        self._looking: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        for task in list(self._looking.values()):
            task.cancel()
        await asyncio.gather(*self._looking.values(), return_exceptions=True)

    def new(self, account: str, name: str, expires: str) -> dict[str, Any]:
        proven = self._store.get("proven", f"{account}|{name}")
        if proven is not None and datetime.fromisoformat(proven["at"]) + self._reuse > datetime.now(UTC):
            return self.known(proven["authorization"])
        wildcard = name.startswith("*.")
        made = self._store.put("authorization", {
            "account": account, "name": name.removeprefix("*."), "wildcard": wildcard, "status": "pending",
            "expires": expires, "challenges": [],
        })  # fmt: skip
        for kind in ("dns-01",) if wildcard else ("dns-01", "http-01"):
            challenge = {"type": kind, "status": "pending", "token": secrets.token_urlsafe(32),
                         "authorization": made["id"]}  # fmt: skip
            made["challenges"].append(self._store.put("challenge", challenge)["id"])
        secrets.SystemRandom().shuffle(made["challenges"])
        return self._store.put("authorization", made)

    def known(self, id_: str) -> dict[str, Any]:
        found = self._store.get("authorization", id_)
        if found is None:
            raise Problem("malformed", "there is no such authorization", 404)
        return found

    def authorization(self, signed: Signed, id_: str) -> dict[str, Any]:
        found = own(signed, self._store.get("authorization", id_), id_)
        if signed.payload and signed.payload.get("status") == "deactivated" and found["status"] in {"pending", "valid"}:
            found["status"] = "deactivated"
            self._store.put("authorization", found)
        for challenge in self.challenges_of(found):
            self._resume(found, challenge, signed)
        return found

    def challenges_of(self, authorization: dict[str, Any]) -> list[dict[str, Any]]:
        """All of them while nothing is decided, then the one that was."""
        found = [self._store.get("challenge", id_) or {} for id_ in authorization["challenges"]]
        decided = [item for item in found if item["status"] in {"valid", "invalid"}]
        return decided or found

    def challenge(self, signed: Signed, id_: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """(challenge, authorization). A JSON object starts the validation, an empty payload only looks."""
        challenge = self._store.get("challenge", id_)
        if challenge is None:
            raise Problem("malformed", "there is no such challenge", 404)
        home = challenge["authorization"]
        authorization = own(signed, self._store.get("authorization", home), home)
        if signed.payload is not None:
            if challenge["status"] != "pending" or authorization["status"] != "pending":
                text = f"Cannot update challenge with status {challenge['status']}, only status pending"
                raise Problem("malformed", text)
            challenge["status"] = "processing"
            self._store.put("challenge", challenge)
        self._resume(authorization, challenge, signed)
        return challenge, authorization

    def _resume(self, authorization: dict[str, Any], challenge: dict[str, Any], signed: Signed) -> None:
        """Look, unless somebody is looking: also for what a killed process left in the middle."""
        if challenge["status"] == "processing" and challenge["id"] not in self._looking:
            task = asyncio.create_task(self._look(authorization, challenge, thumbprint(signed.key)))
            self._looking[challenge["id"]] = task
            task.add_done_callback(lambda _: self._looking.pop(challenge["id"], None))

    async def _look(self, authorization: dict[str, Any], challenge: dict[str, Any], account_thumbprint: str) -> None:
        expected = f"{challenge['token']}.{account_thumbprint}"
        try:
            if challenge["type"] == "http-01":
                place = (authorization["name"], challenge["token"])
                await fetch_token(self._dns, self._http_port, *place, expected)
            else:
                digest = hashlib.sha256(expected.encode()).digest()
                value = base64.urlsafe_b64encode(digest).decode().rstrip("=")
                await find_record(self._dns, authorization["name"], value)
        except Problem as problem:
            challenge |= {"status": "invalid", "error": problem.document()}
        else:
            now = stamp(datetime.now(UTC))
            challenge |= {"status": "valid", "validated": now}
            name = ("*." if authorization["wildcard"] else "") + authorization["name"]
            proven = {"id": f"{authorization['account']}|{name}", "authorization": authorization["id"], "at": now}
            self._store.put("proven", proven)
        authorization["status"] = challenge["status"]
        self._store.put("challenge", challenge)
        self._store.put("authorization", authorization)
