"""What a newcomer can sell: a brand, a product with a price, and a payment service that tells of payments."""

from __future__ import annotations

import sys
from pathlib import Path

from sqlalchemy import select

from db.base import new_id
from db.models_sales import Tenant
from db.models_shop import Price, Product
from db.session import Database
from sandbox.service import ServiceSpec
from sandbox.stack.keys import Secrets
from sandbox.stack.layout import Layout, write_json, write_private
from settings import Settings

TENANT = "demo"
PRODUCT = "web-hosting"


def stripe(layout: Layout, secrets: Secrets, port: int, api: str) -> ServiceSpec:
    """How to run the sandbox's payment service, which sends its messages to the product."""
    path = layout.root / "stripe.json"
    write_json(path, {
        "state_dir": str(layout.root / "stripe"), "listen": f"127.0.0.1:{port}", "api_keys": [secrets.stripe_key],
        "webhook": {"url": f"{api}/api/webhooks/stripe", "secrets": [secrets.stripe_webhook_secret]},
    })  # fmt: skip
    argv = [sys.executable, "-m", "sandbox.stripe_server", "--config", str(path)]
    return ServiceSpec("stripe", argv, ("127.0.0.1", port), layout.log("stripe"))


def order_script(layout: Layout, api: str, key: str, price: str) -> Path:
    """The call that a marketing site makes after a payment (R044), to be read and to be run."""
    path = layout.root / "order.sh"
    write_private(
        path,
        f"""\
#!/bin/sh
# usage: sh order.sh [e-mail [domain]]; each call is another payment
exec curl --silent --show-error --noproxy '*' {api}/api/orders \\
  --header 'x-internal-key: {key}' --header 'content-type: application/json' \\
  --data "{{
    \\"tenantSlug\\": \\"{TENANT}\\",
    \\"priceId\\": \\"{price}\\",
    \\"customerEmail\\": \\"${{1:-you@example.com}}\\",
    \\"stripePaymentIntentId\\": \\"pi_$(date +%s%N)\\",
    \\"domain\\": \\"$2\\"
  }}"
""",
        0o700,
    )
    return path


async def stock(settings: Settings) -> str:
    """Put the product on the shelf, once. Returns the id of its price."""
    database = Database(settings.sqlalchemy_url, pool_min=1, pool_max=1)
    try:
        async with database.begin() as session:
            if (await session.execute(select(Tenant).where(Tenant.slug == TENANT))).first() is None:
                session.add(Tenant(id=new_id(), slug=TENANT, name="Demo"))
            query = select(Product).where(Product.slug == PRODUCT)
            product = (await session.execute(query)).scalar_one_or_none()
            if product is None:
                product = Product(id=new_id(), name="Web hosting", slug=PRODUCT, type="hosting",
                                  description="A site with PHP, a mailbox and a certificate")  # fmt: skip
                session.add(product)
                await session.flush()
            living = select(Price).where(Price.product_id == product.id, Price.active).order_by(Price.created_at)
            price = (await session.execute(living)).scalars().first()
            if price is None:
                price = Price(id=new_id(), product_id=product.id, interval="month", amount_cents=995,
                              limits_json={"disk_mb": 256, "mailboxes": 1, "mailbox_mb": 256})  # fmt: skip
                session.add(price)
            return str(price.id)
    finally:
        await database.close()
