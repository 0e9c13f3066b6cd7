"""``SEAWALL=on|observe|off``: whether Seawall works, only looks on, or is not there. Read once, at import."""

from __future__ import annotations

import os

ON, OBSERVE, OFF = "on", "observe", "off"

_VALUES = (ON, OBSERVE, OFF)


def _read() -> str:
    asked = os.environ.get("SEAWALL", "")
    value = asked.strip().lower() or ON
    if value not in _VALUES:
        raise ValueError(
            f"SEAWALL={asked!r} in the environment is none of: on (Seawall works), observe (redis-py works, Seawall counts "
            "what it would have done), off (plain redis-py)"
        )
    return value


#: The mode of this process.
MODE = _read()

#: Whether Seawall's engine carries the commands.
ENGINE = MODE == ON


def keep_constructors(kind: type) -> None:
    """Takes away what a client of ours does in another way than redis-py's: all but what others call by an argument that
    redis-py does not know.
    """
    for name in vars(kind).keys() - {"from_url", "pubsub"}:
        if not name.startswith("__"):
            delattr(kind, name)
