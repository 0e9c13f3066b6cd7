"""GET of 16 bytes by 8 threads of one client, beside redis-py and GLIDE."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import peers
from ground import KEY, Ground
from measure import Contender, Pace, compare
from report import Table, Unit

PACE = Pace(turn=0.2, rounds=20)
THREADS = 8


class Crew:
    """Threads that wait for work, so that none is made while the clock runs."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self._calls = 0
        self._begin = threading.Barrier(THREADS + 1)
        self._end = threading.Barrier(THREADS + 1)
        self._failed: BaseException | None = None
        for _ in range(THREADS):
            threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        call = self._call
        while True:
            self._begin.wait()
            try:
                for _ in range(self._calls):
                    call()
            except BaseException as error:
                self._failed = error
            self._end.wait()

    def run(self, calls: int) -> None:
        self._calls = calls // THREADS
        self._begin.wait()
        self._end.wait()
        if self._failed is not None:
            raise self._failed


def run(ground: Ground, scale: float) -> Iterator[Table]:
    theirs, ours, glide = peers.redis_py(ground), peers.ours(ground), peers.glide_py(ground)
    contenders = [
        Contender(peers.REDIS_PY, Crew(lambda: theirs.get(KEY)).run),
        Contender(peers.OURS, Crew(lambda: ours.get(KEY)).run),
        Contender(peers.GLIDE, Crew(lambda: glide.get(KEY)).run),
    ]
    for contender in contenders:
        # Their connections and threads are there before they are pinned.
        contender.run(800)
    for _, words in ground.placements():
        measured = compare(contenders, PACE.scaled(scale), ground.server_time)
        table = Table(f"Blocking GET, {THREADS} threads", words, Unit.US, measured)
        table.as_fast(peers.OURS, peers.REDIS_PY, 4.0)
        table.as_fast(peers.OURS, peers.GLIDE, 2.0)
        yield table
    glide.close()
