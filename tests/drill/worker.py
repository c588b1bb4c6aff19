"""`python -m tests.drill.worker LEDGER`: workers as the product runs them, with the ledger for the servers."""

from tests.drill.outside import Outside
from tests.ledgered import work

if __name__ == "__main__":
    work(Outside)
