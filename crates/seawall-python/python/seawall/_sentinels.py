"""What the faces of Sentinel for threads and for tasks do alike."""

from __future__ import annotations

from typing import Any

__all__ = ["Asking", "PoolOfNamed"]


class PoolOfNamed:
    """A pool whose connections lead to whatever the sentinels name."""

    _connection_kind: type
    _tls_kind: type

    def __init__(self, service_name: str, sentinel_manager: Any, **kwargs: Any) -> None:
        ssl = kwargs.pop("ssl", False)
        kwargs.setdefault("connection_class", self._tls_kind if ssl else self._connection_kind)
        super().__init__(service_name, sentinel_manager, **kwargs)  # type: ignore[call-arg]  # a pool's of redis-py's

    def _link(self) -> None:
        # There is one for each master; commands go over the connections, which know theirs.
        return None


class Asking:
    """Asks the sentinels; its clients, and those that it makes, are Seawall's unless another class is given."""

    _client_kind: type
    _pool_kind: type
    sentinel_kwargs: dict[str, Any]

    def __init__(
        self,
        sentinels: Any,
        min_other_sentinels: int = 0,
        sentinel_kwargs: dict[str, Any] | None = None,
        force_master_ip: str | None = None,
        **connection_kwargs: Any,
    ) -> None:
        # redis-py would make clients of its own.
        super().__init__([], min_other_sentinels, sentinel_kwargs, force_master_ip, **connection_kwargs)  # type: ignore[call-arg]
        self.sentinels = [self._client_of(host=host, port=port, **self.sentinel_kwargs) for host, port in sentinels]

    def master_for(
        self, service_name: str, redis_class: Any = None, connection_pool_class: Any = None, **kwargs: Any
    ) -> Any:
        """As redis-py's; the classes are Seawall's if none are given."""
        return super().master_for(service_name, *self._kinds(redis_class, connection_pool_class), **kwargs)  # type: ignore[misc]

    def slave_for(
        self, service_name: str, redis_class: Any = None, connection_pool_class: Any = None, **kwargs: Any
    ) -> Any:
        """As redis-py's; the classes are Seawall's if none are given."""
        return super().slave_for(service_name, *self._kinds(redis_class, connection_pool_class), **kwargs)  # type: ignore[misc]

    def replica_for(
        self, service_name: str, redis_class: Any = None, connection_pool_class: Any = None, **kwargs: Any
    ) -> Any:
        """As redis-py's; the classes are Seawall's if none are given."""
        return self.slave_for(service_name, redis_class, connection_pool_class, **kwargs)

    @staticmethod
    def _client_of(**kwargs: Any) -> Any:
        """A client of a sentinel."""
        raise NotImplementedError

    def _kinds(self, client: Any, pool: Any) -> tuple[Any, Any]:
        return client or self._client_kind, pool or self._pool_kind
