"""What all tests share."""

import logging

from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, not what is wrong.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_unconfigure() -> None:
    """Keep Salt quiet at the very end, when it logs to streams that pytest has closed."""
    logging.raiseExceptions = False
