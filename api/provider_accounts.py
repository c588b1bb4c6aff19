"""Which account at a cloud a request means, and what is said where it means none."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from api.deps import parsed_id
from api.errors import ApiError
from db.models_clouds import ServiceProvider
from db.queries import providers
from domain.errors import ErrorCode
from domain.servers import ProviderType

WITHOUT_CLIENT = frozenset({ProviderType.AWS, ProviderType.GCP})  # known by name only (R266)


async def account_for(session: AsyncSession, kind: ProviderType, provider_id: str | None) -> ServiceProvider:
    """The active account of that kind, the oldest one where none is named.

    PROVIDER_NOT_FOUND 404, PROVIDER_INACTIVE 409, MISSING_CREDENTIALS 409 where nobody has set one up.
    """
    if kind in WITHOUT_CLIENT:
        raise ApiError(ErrorCode.PROVIDER_INACTIVE, f"{kind} is known and not offered yet.", provider=kind)
    if provider_id is None:
        found = await providers.standing_for(session, kind)
        if found is None:
            raise ApiError(
                ErrorCode.MISSING_CREDENTIALS, f"No active account at {kind} is set up; an administrator can add one.",
                provider=kind)  # fmt: skip
        return found
    ref = parsed_id(provider_id)
    found = await providers.get(session, ref) if ref else None
    if found is None or found.type != kind:
        raise provider_not_found(provider_id, kind)
    if not found.active:
        raise ApiError(
            ErrorCode.PROVIDER_INACTIVE, "This account is switched off; an administrator can switch it on.",
            field="provider_id", provider=kind)  # fmt: skip
    return found


def provider_not_found(ref: str, kind: str | None = None) -> ApiError:
    where = f" at {kind}" if kind else ""
    return ApiError(
        ErrorCode.PROVIDER_NOT_FOUND, f"There is no account {ref[:64]!r}{where}.", field="provider_id", provider=kind
    )
