"""The HTTP face of the CA: directory, nonces, resources, problem documents, and faults to ask for."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.acme.ca import CertificateAuthority
from sandbox.acme.problems import Problem
from sandbox.acme.signed import Nonces, Signed, verify
from sandbox.acme.store import Store

CHAIN_TYPE = "application/pem-certificate-chain"
TERMS = "data:text/plain,A%20sandbox%20promises%20nothing"


class Fault(BaseModel):
    """Answer the next `times` POSTs whose path starts with `path` with an error, before or (lose) after the effect."""

    path: str
    times: int = 1
    status: int = 503
    kind: str = "serverInternal"
    detail: str = "asked for"
    retry_after: str | None = None
    lose: bool = False


class Api:
    def __init__(self, ca: CertificateAuthority, store: Store, retry_after: int = 1) -> None:
        self._ca = ca
        self._store = store
        self._nonces = Nonces()
        self._retry_after = str(retry_after)
        self._faults: list[Fault] = []

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/dir", self._directory),
                Route("/new-nonce", self._nonce, methods=["GET", "HEAD"]),
                Route("/roots/0", self._root),
                Route("/_sandbox/faults", self._add_fault, methods=["POST"]),
                Route("/{path:path}", self._post, methods=["POST"]),
            ]
        )

    # ---- without signature

    async def _directory(self, request: Request) -> Response:
        base = _base(request)
        profiles = {name: profile.description for name, profile in self._ca.profiles.items()}
        meta = {"termsOfService": TERMS, "externalAccountRequired": False, "caaIdentities": ["sandbox.invalid"],
                "profiles": profiles}  # fmt: skip
        return JSONResponse({"newNonce": f"{base}/new-nonce", "newAccount": f"{base}/new-account",
                             "newOrder": f"{base}/new-order", "meta": meta})  # fmt: skip

    async def _nonce(self, request: Request) -> Response:
        return Response(status_code=200 if request.method == "HEAD" else 204, headers=self._headers(request))

    async def _root(self, request: Request) -> Response:
        return Response(self._ca.root(), media_type=CHAIN_TYPE)

    async def _add_fault(self, request: Request) -> Response:
        fault = Fault.model_validate_json(await request.body())
        self._faults.append(fault)
        return JSONResponse(fault.model_dump())

    # ---- with signature

    async def _post(self, request: Request) -> Response:
        raw = await request.body()
        try:
            fault = self._fault(request.url.path)
            if fault is not None and not fault.lose:
                raise _problem(fault)
            url, base = f"{_base(request)}{request.url.path}", _base(request)
            signed = verify(raw, request.headers.get("Content-Type", ""), url, base, self._nonces, self._store)
            answer = self._route(request, signed)
            if fault is not None:
                raise _problem(fault)
        except Problem as problem:
            headers = self._headers(request) | problem.headers
            text = json.dumps(problem.document())
            return Response(text, problem.status, headers, "application/problem+json")
        answer.headers.update({key: value for key, value in self._headers(request).items() if key != "Link"})
        answer.headers.append("Link", self._headers(request)["Link"])
        return answer

    def _fault(self, path: str) -> Fault | None:
        for fault in self._faults:
            if path.startswith(fault.path) and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def _route(self, request: Request, signed: Signed) -> Response:
        base = _base(request)
        match request.url.path.strip("/").split("/"):
            case ["new-account"]:
                account, made = self._ca.account(signed)
                headers = {"Location": f"{base}/account/{account['id']}"}
                return JSONResponse(_account(account, base), 201 if made else 200, headers)
            case ["account", id_]:
                return JSONResponse(_account(self._ca.update_account(signed, id_), base))
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
                return self._waiting(self._authorization(self._ca.authorization(signed, id_), base), "pending")
            case ["challenge", id_]:
                challenge, authorization = self._ca.challenge(signed, id_)
                up = f'<{base}/authorization/{authorization["id"]}>;rel="up"'
                return JSONResponse(_challenge(challenge, authorization, base), headers={"Link": up})
            case ["certificate", id_]:
                return Response(self._ca.certificate(signed, id_), media_type=CHAIN_TYPE)
        raise Problem("malformed", "there is no such resource", 404)

    # ---- shapes

    def _headers(self, request: Request) -> dict[str, str]:
        return {"Replay-Nonce": self._nonces.fresh(), "Cache-Control": "public, max-age=0, no-cache",
                "Link": f'<{_base(request)}/dir>;rel="index"'}  # fmt: skip

    def _waiting(self, body: dict[str, Any], status: str) -> Response:
        return JSONResponse(body, headers={"Retry-After": self._retry_after} if body["status"] == status else None)

    def _authorization(self, document: dict[str, Any], base: str) -> dict[str, Any]:
        challenge = _challenge(self._ca.challenge_of(document), document, base)
        # Other kinds are listed as long as nothing is decided, as real CAs do; some of them are newer than any client.
        others = [{"type": "dns-persist-01", "url": f"{base}/challenge/none", "status": "pending"}]
        body = {"status": document["status"], "expires": document["expires"],
                "identifier": {"type": "dns", "value": document["name"]},
                "challenges": [*(others if document["status"] == "pending" else []), challenge]}  # fmt: skip
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
    return body | (
        {"certificate": f"{base}/certificate/{document['certificate']}"} if "certificate" in document else {}
    )


def _challenge(challenge: dict[str, Any], authorization: dict[str, Any], base: str) -> dict[str, Any]:
    body = {"type": "dns-01", "url": f"{base}/challenge/{authorization['id']}", "token": challenge["token"],
            "status": challenge["status"]}  # fmt: skip
    return body | {key: challenge[key] for key in ("validated", "error") if key in challenge}
