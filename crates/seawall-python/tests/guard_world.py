"""What the tests of `seawall.guard` share."""

from __future__ import annotations

import pytest

import seawall

#: Time open that no test waits out, and time open that is over at once.
LONG, AT_ONCE = 3600.0, 0.0
#: Retries without a pause to speak of.
QUICK = {"wait_initial": 0.001, "wait_jitter": 0, "wait_max": 0.002}


class Broken(Exception):
    """What a dependency raises."""


def fails(error: BaseException | None = None):
    # A new one each time: one that is kept keeps the frames that it went through.
    raise error or Broken("no")


def touchy(**options):
    """A guard that opens at the first failure."""
    return seawall.guard(**{"name": "touchy", "fail_max": 1, "reset_timeout": LONG, **options})


def trip(guard):
    with pytest.raises(Broken):
        guard.call(fails)
    return guard
