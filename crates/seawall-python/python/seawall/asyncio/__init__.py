"""``seawall.asyncio.Redis`` is ``redis.asyncio.Redis`` on Seawall's engine, on asyncio's own loop and on uvloop's."""

from .client import Redis, from_url
from .connection import Connection, SSLConnection, UnixDomainSocketConnection
from .pool import BlockingConnectionPool, ConnectionPool
from .sentinel import Sentinel

__all__ = [
    "BlockingConnectionPool",
    "Connection",
    "ConnectionPool",
    "Redis",
    "SSLConnection",
    "Sentinel",
    "UnixDomainSocketConnection",
    "from_url",
]
