"""The HTTP face of the CA: directory, nonces, resources, problem documents, and faults to ask for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.acme.ca import CertificateAuthority
from sandbox.acme.problems import Problem
from sandbox.acme.renewals import Suggestion
from sandbox.acme.signed import Nonces, Signed, verify
from sandbox.acme.store import Store

CHAIN_TYPE = "application/pem-certificate-chain"
ARI_SECONDS = "21600"
TERMS = "data:text/plain,A%20sandbox%20promises%20nothing"


class Fault(BaseModel):
    """Answer the next `times` requests whose path starts with `path` with an error, before or (lose) after the effect.
    With all methods and many times the CA is down, until the faults are taken back (DELETE)."""

    path: str
    methods: list[str] = ["POST"]
    times: int = 1
    status: int = 503
    kind: str = "serverInternal"
    detail: str = "asked for"
    retry_after: str | None = None
    lose: bool = False


class Api:
    def __init__(self, ca: CertificateAuthority, store: Store, retry_after: int = 1, *, dates: bool = False) -> None:
        """`retry_after` is in seconds, and told as a date where `dates` says so."""
        self._ca = ca
        self._store = store
        self._nonces = Nonces()
        self._retry_after = retry_after
        self._dates = dates
        self._faults: list[Fault] = []

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/dir", self._directory),
                Route("/new-nonce", self._nonce, methods=["GET", "HEAD"]),
                Route("/roots/0", self._root),
                Route("/renewal-info/{id}", self._renewal_info),
                Route("/_sandbox/faults", self._change_faults, methods=["POST", "DELETE"]),
                Route("/_sandbox/windows", self._set_window, methods=["POST"]),
                Route("/_sandbox/spoil", self._spoil, methods=["POST"]),
                Route("/_sandbox/certificates/{id}", self._status),
                Route("/{path:path}", self._post, methods=["POST"]),
            ],
            exception_handlers={Problem: self._refuse},
        )

    # ---- without signature

    async def _refuse(self, request: Request, problem: Exception) -> Response:
        assert isinstance(problem, Problem)
        headers = self._headers(request) | problem.headers
        return Response(json.dumps(problem.document()), problem.status, headers, "application/problem+json")

    async def _directory(self, request: Request) -> Response:
        self._fail(request)
        base = _base(request)
        profiles = {name: profile.description for name, profile in self._ca.profiles.items()}
        meta = {"termsOfService": TERMS, "externalAccountRequired": bool(self._ca.accounts.external),
                "caaIdentities": ["sandbox.invalid"], "profiles": profiles}  # fmt: skip
        return JSONResponse({"newNonce": f"{base}/new-nonce", "newAccount": f"{base}/new-account",
                             "newOrder": f"{base}/new-order", "revokeCert": f"{base}/revoke",
                             "keyChange": f"{base}/key-change", "renewalInfo": f"{base}/renewal-info",
                             "meta": meta})  # fmt: skip

    async def _nonce(self, request: Request) -> Response:
        self._fail(request)
        return Response(status_code=200 if request.method == "HEAD" else 204, headers=self._headers(request))

    async def _root(self, request: Request) -> Response:
        return Response(self._ca.root(), media_type=CHAIN_TYPE)

    async def _renewal_info(self, request: Request) -> Response:
        self._fail(request)
        body, retry_after = self._ca.renewals.window(request.path_params["id"])
        return JSONResponse(body, headers={"Retry-After": retry_after or ARI_SECONDS})

    # ---- what tests ask for

    async def _change_faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._faults.clear()
        else:
            self._faults.append(Fault.model_validate_json(await request.body()))
        return JSONResponse([fault.model_dump() for fault in self._faults])

    async def _set_window(self, request: Request) -> Response:
        self._ca.renewals.suggest(Suggestion.model_validate_json(await request.body()))
        return JSONResponse({})

    async def _spoil(self, request: Request) -> Response:
        self._ca.spoil(_problem(Fault.model_validate_json(await request.body())))
        return JSONResponse({})

    async def _status(self, request: Request) -> Response:
        return JSONResponse(self._ca.renewals.status(request.path_params["id"]))

    # ---- with signature

    async def _post(self, request: Request) -> Response:
        raw = await request.body()
        lost = self._fail(request)
        url, base = f"{_base(request)}{request.url.path}", _base(request)
        signed = verify(raw, request.headers.get("Content-Type", ""), url, base, self._nonces, self._store)
        answer = self._route(request, signed)
        if lost is not None:
            raise _problem(lost)
        answer.headers.update({key: value for key, value in self._headers(request).items() if key != "Link"})
        answer.headers.append("Link", self._headers(request)["Link"])
        return answer

    def _fail(self, request: Request) -> Fault | None:
        """Raise what was asked for; a fault that loses the answer is handed back."""
        for fault in self._faults:
            if request.url.path.startswith(fault.path) and request.method in fault.methods and fault.times > 0:
                fault.times -= 1
                if not fault.lose:
                    raise _problem(fault)
                return fault
        return None

    def _route(self, request: Request, signed: Signed) -> Response:
        base = _base(request)
        match request.url.path.strip("/").split("/"):
            case ["new-account"]:
                account, made = self._ca.accounts.open(signed, f"{base}/new-account")
                headers = {"Location": f"{base}/account/{account['id']}"}
                return JSONResponse(_account(account, base), 201 if made else 200, headers)
            case ["account", id_]:
                return JSONResponse(_account(self._ca.accounts.update(signed, id_), base))
            case ["key-change"]:
                return JSONResponse(_account(self._ca.accounts.roll_over(signed, f"{base}/key-change", base), base))
            case ["revoke"]:
                self._ca.renewals.revoke(signed)
                return Response()
            case ["new-order"]:
                order = self._ca.new_order(signed)
                return JSONResponse(_order(order, base), 201, {"Location": f"{base}/order/{order['id']}"})
            case ["order", id_]:
                return self._waiting(_order(self._ca.order(signed, id_), base), "processing")
            case ["finalize", id_]:
                order = self._ca.finalize(signed, id_)
                answer = self._waiting(_order(order, base), "processing")
                answer.headers["Location"] = f"{base}/order/{id_}"
                return answer
            case ["authorization", id_]:
                return self._waiting(self._authorization(self._ca.proofs.authorization(signed, id_), base), "pending")
            case ["challenge", id_]:
                challenge, authorization = self._ca.proofs.challenge(signed, id_)
                up = f'<{base}/authorization/{authorization["id"]}>;rel="up"'
                return JSONResponse(_challenge(challenge, base), headers={"Link": up})
            case ["certificate", id_]:
                other = f'<{base}/certificate/{id_}/other>;rel="alternate"'
                return Response(self._ca.certificate(signed, id_), media_type=CHAIN_TYPE, headers={"Link": other})
            case ["certificate", id_, "other"]:
                return Response(self._ca.certificate(signed, id_, "other"), media_type=CHAIN_TYPE)
        raise Problem("malformed", "there is no such resource", 404)

    # ---- shapes

    def _headers(self, request: Request) -> dict[str, str]:
        return {"Replay-Nonce": self._nonces.fresh(), "Cache-Control": "public, max-age=0, no-cache",
                "Link": f'<{_base(request)}/dir>;rel="index"'}  # fmt: skip

    def _waiting(self, body: dict[str, Any], status: str) -> Response:
        if body["status"] != status:
            return JSONResponse(body)
        wait = str(self._retry_after)
        if self._dates:
            wait = format_datetime(datetime.now(UTC) + timedelta(seconds=self._retry_after), usegmt=True)
        return JSONResponse(body, headers={"Retry-After": wait})

    def _authorization(self, document: dict[str, Any], base: str) -> dict[str, Any]:
        challenges = [_challenge(item, base) for item in self._ca.proofs.challenges_of(document)]
        # Other kinds are listed as long as nothing is decided, as real CAs do; some of them are newer than any client.
        others = [{"type": "dns-persist-01", "url": f"{base}/challenge/none", "status": "pending"}]
        body = {"status": document["status"], "expires": document["expires"],
                "identifier": {"type": "dns", "value": document["name"]},
                "challenges": [*(others if document["status"] == "pending" else []), *challenges]}  # fmt: skip
        return body | ({"wildcard": True} if document["wildcard"] else {})


def _base(request: Request) -> str:
    return f"https://{request.headers['host']}"


def _problem(fault: Fault) -> Problem:
    headers = {"Retry-After": fault.retry_after} if fault.retry_after is not None else {}
    return Problem(fault.kind, fault.detail, fault.status, headers=headers)


def _account(document: dict[str, Any], base: str) -> dict[str, Any]:
    return {"status": document["status"], "contact": document["contact"], "key": document["jwk"],
            "orders": f"{base}/account/{document['id']}/orders"}  # fmt: skip


def _order(document: dict[str, Any], base: str) -> dict[str, Any]:
    body = {
        "status": document["status"],
        "expires": document["expires"],
        "identifiers": [{"type": "dns", "value": name} for name in document["names"]],
        "profile": document["profile"],
        "authorizations": [f"{base}/authorization/{id_}" for id_ in document["authorizations"]],
        "finalize": f"{base}/finalize/{document['id']}",
    }
    body |= {key: document[key] for key in ("replaces", "error") if key in document}
    return body | (
        {"certificate": f"{base}/certificate/{document['certificate']}"} if "certificate" in document else {}
    )


def _challenge(challenge: dict[str, Any], base: str) -> dict[str, Any]:
    body = {"type": challenge["type"], "url": f"{base}/challenge/{challenge['id']}", "token": challenge["token"],
            "status": challenge["status"]}  # fmt: skip
    return body | {key: challenge[key] for key in ("validated", "error") if key in challenge}
