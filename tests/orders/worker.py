"""`python -m tests.orders.worker LEDGER`: workers as the product runs them, with the ledger for an outside."""

from tests.ledgered import work
from tests.orders.outside import Outside

if __name__ == "__main__":
    work(Outside)
