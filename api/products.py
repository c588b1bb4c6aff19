"""Products and their prices: what everybody sees of them (R035), and what administrators do with them (R040-R043).

`amount` is in whole cents everywhere (R151).
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from api.answers import also
from api.auditing import audited_change
from api.deps import Administrator, Held, IdempotencyKey, actor, anonymous, parsed_id, requires
from api.envelope import rendered, reply, stamp, written
from api.errors import ApiError, not_found
from api.examples import taking
from api.idempotency import REPLAYED, claimed
from api.paging import pagination
from api.product_schemas import CHANGE_REQUEST, CREATE_REQUEST, PAGE, PRODUCT, PUBLIC, ProductChange, ProductCreate
from api.services import Principal
from db.models_shop import Price, Product
from db.queries import audit, ordering, products
from db.queries.products import ProductFilter, Sold
from domain.catalogue import ProductType
from domain.errors import ErrorCode
from domain.statuses import Role

router = APIRouter(tags=["products"])

WHERE = "/api/products"
Reader = Annotated[Principal, Depends(requires(frozenset({Role.ADMINISTRATOR, Role.BILLING})))]


@router.get(
    "/api/public/products",
    dependencies=[Depends(anonymous)],
    responses={200: PUBLIC, 304: {"description": "Unchanged"}},
)
async def on_sale(request: Request, held: Held) -> Response:
    """Ask again with If-None-Match: it is cheap, and a changed list is seen soon."""

    async def read() -> bytes:
        async with held.db.begin() as session:
            return written({"products": [_public(sold) for sold in await products.on_sale(session)]})

    found = await held.products.get(read)
    # Browsers and proxies may keep it but ask each time: they would add their own delay to that of the cache.
    headers = {"ETag": found.etag, "Cache-Control": "public, no-cache"}
    if found.etag in [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return rendered(request, found.fragment, headers=headers)


@router.get(WHERE, responses={200: PAGE})
async def listed(
    request: Request,
    principal: Reader,
    held: Held,
    search: Annotated[str | None, Query(max_length=200, description="In name, slug and description")] = None,
    type: ProductType | None = None,
    active: bool | None = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    if search is not None and not search.isprintable():
        raise ApiError(ErrorCode.VALIDATION_ERROR, "search must be printable text.", field="search")
    wanted = ProductFilter((search or "").strip() or None, type, active)
    async with held.db.begin() as session:
        total, found = await products.page(session, wanted, offset=(page - 1) * limit, limit=limit)
    return reply(request, {"products": [_shown(*sold) for sold in found], "pagination": pagination(page, limit, total)})


@router.get(f"{WHERE}/{{product_id}}", responses={200: PRODUCT})
async def single(request: Request, product_id: str, principal: Reader, held: Held) -> Response:
    async with held.db.begin() as session:
        row = await _found(session, _id(product_id))
        answer: dict[str, object] = {"product": _shown(row, await products.prices_of(session, row))}
    return reply(request, answer)


@router.post(WHERE, status_code=201, responses={201: PRODUCT, **also(409)}, openapi_extra=taking(CREATE_REQUEST))
async def create(
    request: Request, asked: ProductCreate, principal: Administrator, held: Held, key: IdempotencyKey
) -> Response:
    """The slug is taken for ever, also after the product is deleted."""
    body: dict[str, object] = asked.model_dump(mode="json")
    with held.products.writing():
        async with held.db.begin() as session:
            earlier = await claimed(session, held, principal, key, route=f"POST {WHERE}", body=body)
            if earlier is not None:
                headers = REPLAYED | _location(earlier.response)
                return reply(request, earlier.response, earlier.status_code, headers=headers)
            try:
                row = await products.create(
                    session, name=asked.name, slug=asked.slug, kind=asked.type, description=asked.description,
                    active=asked.active, prices=[price.row() for price in asked.prices])  # fmt: skip
            except products.SlugTaken:
                raise ApiError(ErrorCode.CONFLICT, f"The slug {asked.slug!r} is or was another product's; choose "
                               "another one.", field="slug") from None  # fmt: skip
            answer: dict[str, object] = {"product": _shown(row, await products.prices_of(session, row))}
            if key is not None:
                await ordering.keep_answer(session, principal.key, key, 201, answer)
            await audit.record(session, actor(request, principal), "product.create", "product", str(row.id),
                               slug=row.slug, fields=sorted(asked.model_fields_set))  # fmt: skip
    return reply(request, answer, 201, headers=_location(answer))


@router.patch(f"{WHERE}/{{product_id}}", responses={200: PRODUCT, **also(409)}, openapi_extra=taking(CHANGE_REQUEST))
async def change(
    request: Request, product_id: str, asked: ProductChange, principal: Administrator, held: Held
) -> Response:
    """What is missing stays as it is. A price is never changed: it becomes inactive and a new one takes its place."""
    ref = _id(product_id)
    fields = sorted(asked.model_fields_set)
    act = audited_change(held, request, principal, "product.update", ("product", str(ref)), fields=fields)
    with held.products.writing():
        async with act as session:
            row = await _found(session, ref, lock=True)
            try:
                changed = await products.change(
                    session, row, asked.given(), [price.row() for price in asked.prices or ()],
                    asked.prices_removed or [])  # fmt: skip
            except products.NoSuchPrice:
                raise ApiError(ErrorCode.VALIDATION_ERROR, "prices_removed must name active prices of this "
                               "product.", field="prices_removed") from None  # fmt: skip
            answer: dict[str, object] = {"product": _shown(row, await products.prices_of(session, row))}
            fields[:] = changed  # what was asked where it is refused, and what changed where it is done
    return reply(request, answer)


@router.delete(f"{WHERE}/{{product_id}}")
async def remove(request: Request, product_id: str, principal: Administrator, held: Held) -> Response:
    """What was sold of it goes on; nobody can buy it any more."""
    ref = _id(product_id)
    act = audited_change(held, request, principal, "product.delete", ("product", str(ref)))
    with held.products.writing():
        async with act as session:
            await products.remove(session, await _found(session, ref, lock=True))
    return reply(request, {"message": "Product deleted successfully"})


def _id(text: str) -> uuid.UUID:
    ref = parsed_id(text)
    if ref is None:
        raise not_found("product", text)
    return ref


async def _found(session: AsyncSession, ref: uuid.UUID, *, lock: bool = False) -> Product:
    row = await products.get(session, ref, lock=lock)
    if row is None:
        raise not_found("product", ref)
    return row


def _location(answer: dict[str, Any]) -> dict[str, str]:
    return {"Location": f"{WHERE}/{answer['product']['id']}"}


def _public(sold: Sold) -> dict[str, Any]:
    row, prices = sold
    return {
        "id": str(row.id),
        "name": row.name,
        "slug": row.slug,
        "type": row.type,
        "description": row.description,
        "prices": [_price(price) for price in prices],
    }


def _price(price: Price) -> dict[str, Any]:
    return {
        "id": str(price.id),
        "interval": price.interval,
        "amount": price.amount_cents,
        "currency": price.currency,
        "limits": price.limits_json,
    }


def _managed(price: Price) -> dict[str, Any]:
    return _price(price) | {
        "active": price.active, "stripe_price_id": price.stripe_price_id, "created_at": stamp(price.created_at),
    }  # fmt: skip


def _shown(row: Product, prices: list[Price]) -> dict[str, Any]:
    """For those who manage it."""
    return _public((row, prices)) | {
        "active": row.active,
        "prices": [_managed(price) for price in prices],
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
    }
