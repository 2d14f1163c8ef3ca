"""What all tests share."""

import logging


def pytest_unconfigure() -> None:
    """Keep Salt quiet at the very end, when it logs to streams that pytest has closed."""
    logging.raiseExceptions = False
