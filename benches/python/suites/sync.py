"""GET of 16 bytes by one thread, beside a bare socket, redis-py and GLIDE."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import peers
from ground import KEY, VALUE, Ground, Placement, packed
from measure import Contender, Measured, Pace, compare, times
from report import Table, Unit

PACE = Pace(turn=0.1, rounds=30)
NATIVE = "seawall, native call"


def bare(ground: Ground) -> Any:
    connection = ground.connect()
    request, reply = packed("GET", KEY), b"$%d\r\n%b\r\n" % (len(VALUE), VALUE)
    send, receive = connection.sendall, connection.recv

    def call() -> None:
        send(request)
        if receive(65536) != reply:
            raise RuntimeError("another reply than was expected")

    return call


def native(client: Any) -> Any:
    """The engine as the client calls it, without redis-py's layers around it."""
    execute, codec, args = client.connection_pool._link().execute, client.connection_pool._codec(), ("GET", KEY)
    return lambda: execute(args, codec, True, None)


def bound(measured: list[Measured]) -> str:
    """What nobody gets below over a socket: most of a call is the kernel's, more so on some machines than on others."""
    by_name = {each.name: each for each in measured}
    bare, theirs = by_name[peers.BARE], by_name[peers.REDIS_PY]
    faster, share = times(theirs.wall, bare.wall).median, times(bare.client, theirs.client).median
    return f"the bare socket is {faster:.2f} times as fast as {peers.REDIS_PY}, and takes {share:.2f} of its client's time"


def run(ground: Ground, scale: float) -> Iterator[Table]:
    theirs, ours, glide = peers.redis_py(ground), peers.ours(ground), peers.glide_py(ground)
    contenders = [
        Contender.repeating(peers.BARE, bare(ground)),
        Contender.repeating(NATIVE, native(ours)),
        Contender.repeating(peers.OURS, lambda: ours.get(KEY)),
        Contender.repeating(peers.REDIS_PY, lambda: theirs.get(KEY)),
        Contender.repeating(peers.GLIDE, lambda: glide.get(KEY)),
    ]
    if not ours.get(KEY) == theirs.get(KEY) == glide.get(KEY) == VALUE:
        raise RuntimeError("a contender does not read what is there")
    for placement, words in ground.placements():
        measured = compare(contenders, PACE.scaled(scale), ground.server_time)
        table = Table("Blocking GET, 1 thread", words, Unit.US, measured)
        if placement is Placement.TOGETHER:
            table.as_fast(peers.OURS, peers.REDIS_PY, 2.2)
            table.at_most(peers.OURS, peers.BARE, 1.8)
            table.at_most(NATIVE, peers.BARE, 1.2)
        else:
            table.client_share(peers.OURS, peers.REDIS_PY, 0.5)
        table.note(bound(measured))
        yield table
    glide.close()
