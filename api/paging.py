"""How a page of a list is described (R300): one shape for every list that has pages."""

from __future__ import annotations


def pagination(page: int, limit: int, total: int) -> dict[str, object]:
    pages = -(-total // limit)
    return {
        "page": page,
        "limit": limit,
        "total": total,
        "totalPages": pages,
        "hasNext": page < pages,
        "hasPrev": page > 1,
    }
