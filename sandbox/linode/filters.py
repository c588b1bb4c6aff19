"""The X-Filter header: which members may be filtered by, the operators, and the order of a list."""

from __future__ import annotations

import json
from typing import Any

from sandbox.linode.wire import Refusal


def filtered(header: str | None, items: list[dict[str, Any]], allowed: set[str]) -> list[dict[str, Any]]:
    """Those that fit, in the order asked for. Refusal 400 for a filter that Linode would not understand."""
    if not header:
        return items
    try:
        wanted = json.loads(header)
    except ValueError:
        wanted = None
    if not isinstance(wanted, dict):
        raise Refusal("Could not apply filter", "X-Filter")
    order_by, order = wanted.pop("+order_by", None), wanted.pop("+order", "asc")
    found = [item for item in items if _fits(wanted, item, allowed)]
    if not items:
        _fits(wanted, {}, allowed)  # what is wrong is wrong of an empty list too
    if order_by is not None:
        found.sort(key=lambda item: str(_value(item, str(order_by))), reverse=order == "desc")
    return found


def _fits(wanted: object, item: dict[str, Any], allowed: set[str]) -> bool:
    if not isinstance(wanted, dict):
        raise Refusal("Could not apply filter", "X-Filter")
    results = []
    for name, value in wanted.items():
        if name in {"+and", "+or"}:
            if not isinstance(value, list):
                raise Refusal("Could not apply filter", "X-Filter")
            each = [_fits(part, item, allowed) for part in value]
            results.append(all(each) if name == "+and" else any(each))
        elif name not in allowed:
            raise Refusal(f"Cannot filter on {name}")
        else:
            results.append(_equal(value, _value(item, name)))
    return all(results)


def _value(item: dict[str, Any], name: str) -> Any:
    found: Any = item
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _equal(wanted: object, value: Any) -> bool:
    """A member that is a list fits when it contains what is wanted."""
    if not isinstance(wanted, dict):
        return wanted in value if isinstance(value, list) else wanted == value
    for operator, operand in wanted.items():
        match operator:
            case "+neq":
                fits = operand != value
            case "+contains":
                fits = str(operand).lower() in str(value or "").lower()
            case "+gt" | "+gte" | "+lt" | "+lte":
                fits = value is not None and _compared(operator, value, operand)
            case _:
                raise Refusal("Could not apply filter", "X-Filter")
        if not fits:
            return False
    return True


def _compared(operator: str, value: Any, operand: Any) -> bool:
    try:
        return bool({"+gt": value > operand, "+gte": value >= operand, "+lt": value < operand,
                     "+lte": value <= operand}[operator])  # fmt: skip
    except TypeError:
        raise Refusal("Could not apply filter", "X-Filter") from None
