"""The customer's own ways in: the mailbox's password, and keys and a password for files.

A password is hashed here and kept encrypted until its job has set it; no reply, audit line or run holds either.
"""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from api.change_schemas import CHANGING, KEYS_REQUEST, NO_SENSE, PASSWORD_REQUEST, Password, SftpKeys
from api.changing import Asking, Beside, ask
from api.deps import Held, IdempotencyKey, Owner, bound, parsed_id
from api.errors import ApiError, not_found
from api.examples import taking
from api.services import Principal, Services
from db.models_hosting import HostingAccount, MailAccount
from db.models_jobs import Job
from db.queries import access, delivery
from db.queries.delivery import Delivery
from db.queries.users import hash_password
from domain.errors import ErrorCode
from domain.sales import JobType, ServiceStatus

router = APIRouter(tags=["subscriptions"], responses={202: CHANGING, 400: NO_SENSE})

SET = "It is being set"


@router.post("/api/mailboxes/{mailbox_id}/password", status_code=202, openapi_extra=taking(PASSWORD_REQUEST))
async def mailbox_password(
    request: Request, mailbox_id: str, asked: Password, principal: Owner, held: Held, key: IdempotencyKey
) -> Response:
    """Choose the mailbox's password; whoever is signed in with the old one stays so until the connection ends."""

    async def served(session: AsyncSession, found: Delivery) -> None:
        if found.mail is None:
            raise ApiError(ErrorCode.INVALID_ACTION, "This mailbox is kept as a record only; nobody can sign in.")

    subscription = await _subscription_of(held, principal, MailAccount, "mailbox", mailbox_id)
    plain = asked.password.get_secret_value()
    asking = Asking(JobType.MAILBOX_PASSWORD, SET, "mailbox.password", {"password": plain}, check=served,
                    beside=await _hashed(held, plain))  # fmt: skip
    return await ask(request, principal, held, key, subscription, asking)


@router.post("/api/hosting/accounts/{account_id}/password", status_code=202, openapi_extra=taking(PASSWORD_REQUEST))
async def sftp_password(
    request: Request, account_id: str, asked: Password, principal: Owner, held: Held, key: IdempotencyKey
) -> Response:
    """Choose the password for reaching the site's files by SFTP."""
    subscription = await _subscription_of(held, principal, HostingAccount, "hosting account", account_id)
    plain = asked.password.get_secret_value()
    asking = Asking(JobType.SFTP_PASSWORD, SET, "hosting_account.password", {"password": plain},
                    beside=await _hashed(held, plain))  # fmt: skip
    return await ask(request, principal, held, key, subscription, asking)


@router.post("/api/hosting/accounts/{account_id}/sftp-keys", status_code=202, openapi_extra=taking(KEYS_REQUEST))
async def sftp_keys(
    request: Request, account_id: str, asked: SftpKeys, principal: Owner, held: Held, key: IdempotencyKey
) -> Response:
    """Say which public keys reach the site's files by SFTP: exactly these."""
    subscription = await _subscription_of(held, principal, HostingAccount, "hosting account", account_id)
    keys: dict[str, object] = {"keys": list(dict.fromkeys(asked.keys))}
    asking = Asking(JobType.SFTP_KEYS, SET, "hosting_account.keys", keys, details=keys)
    return await ask(request, principal, held, key, subscription, asking)


async def _subscription_of(
    held: Services, principal: Principal, table: type[MailAccount] | type[HostingAccount], what: str, text: str
) -> str:
    """404 also where it is another organization's, or gone."""
    ref, organization = parsed_id(text), bound(principal)
    async with held.db.begin() as session:
        row: MailAccount | HostingAccount | None = await session.get(table, ref) if ref else None
        found = await delivery.load(session, row.subscription_id) if row is not None else None
    if row is None or found is None or row.status == ServiceStatus.REMOVED or (
        organization not in (None, found.customer.organization_id)
    ):  # fmt: skip
        raise not_found(what, text)
    return str(row.subscription_id)


async def _hashed(held: Services, plain: str) -> Beside:
    hashed = await hash_password(plain, held.settings.bcrypt_rounds)

    async def keep(session: AsyncSession, job: Job) -> None:
        await access.keep(session, held.keys, str(job.id), hashed)

    return keep
