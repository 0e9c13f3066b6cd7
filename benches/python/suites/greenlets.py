"""GET of 16 bytes by 50 greenlets of one client under gevent, beside redis-py."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator

HERE = pathlib.Path(__file__).resolve().parent
GREENLETS = 50
REDIS_PY, OURS = "redis-py, hiredis", "seawall.Redis"


def run(ground, scale: float) -> Iterator:  # type: ignore[no-untyped-def]
    from measure import Measured
    from report import Table, Unit

    for _, words in ground.placements():
        # Patching is for ever: the contenders run in a process of their own, on the core of this one.
        order = [str(ground.port), str(ground.server), str(scale)]
        said = subprocess.run([sys.executable, __file__, *order], capture_output=True, text=True, check=True).stdout
        measured = [Measured(**each) for each in json.loads(said)]
        table = Table(f"GET by {GREENLETS} greenlets, gevent", words, Unit.US, measured)
        yield table.as_fast(OURS, REDIS_PY, 2.2)


def main() -> None:
    import gevent.monkey

    gevent.monkey.patch_all()
    import dataclasses

    import gevent
    import redis

    import seawall

    sys.path.insert(0, str(HERE.parent))
    from ground import KEY, time_of
    from measure import Contender, Pace, compare

    port, server, scale = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])

    def contender(name: str, client: redis.Redis) -> Contender:
        def work(calls: int) -> None:
            for _ in range(calls):
                client.get(KEY)

        def run(calls: int) -> None:
            greens = [gevent.spawn(work, calls // GREENLETS) for _ in range(GREENLETS)]
            gevent.joinall(greens, raise_error=True)

        return Contender(name, run)

    contenders = [
        contender(REDIS_PY, redis.Redis(host="127.0.0.1", port=port)),
        contender(OURS, seawall.Redis(host="127.0.0.1", port=port)),
    ]
    measured = compare(contenders, Pace(turn=0.2, rounds=20).scaled(scale), lambda: time_of(server))
    print(json.dumps([dataclasses.asdict(each) for each in measured]))


if __name__ == "__main__":
    main()
