"""Metrics for Prometheus, without a dependency or through ``prometheus_client``.

Without it, in a view of the application's own::

    return HttpResponse(seawall.prometheus.text(), content_type=seawall.prometheus.CONTENT_TYPE)

With it::

    seawall.prometheus.register()                 # into prometheus_client's default registry

Several processes (gunicorn, Celery): where ``PROMETHEUS_MULTIPROC_DIR`` or ``SEAWALL_METRICS_DIR`` is set, or after
:func:`share`, each process that is asked tells the sum of all.
"""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Iterator
from typing import Any

from . import _families, _share

__all__ = ["CONTENT_TYPE", "Collector", "register", "share", "text"]

#: What :func:`text` is, for the response's header.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def share(name_or_directory: str) -> str:
    """Adds up the counters of all processes that name the same; returns the directory where they meet.

    A name without ``/`` is a directory of this user's in ``/dev/shm``. Call it before the first request, in each process
    or before they are forked; whatever processes of an earlier run counted is counted on, unless the directory is removed.
    """
    if not name_or_directory:
        raise ValueError("share() needs a name, such as that of the application, or a directory")
    if "/" in name_or_directory:
        path = name_or_directory
        os.makedirs(path, exist_ok=True)
    else:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", name_or_directory) or name_or_directory.startswith("."):
            raise ValueError(f"{name_or_directory!r}: a name has letters, digits, '.', '_' and '-'; a directory has a '/'")
        path = _share.default_path(name_or_directory)
        _share.make(path)
    _share.start(path)
    return path


def _values() -> _families.Values:
    directory = _share.directory()
    if directory is None:
        return _families.values()
    try:
        return directory.read()
    except OSError as error:
        _share.log.warning("metrics.unshared directory=%s error=%s", directory.path, error.strerror)
        return _families.values()


def text() -> str:
    """All metrics in Prometheus' text format."""
    lines: list[str] = []
    values = _values()
    for family in _families.FAMILIES:
        samples = values.get(family.name)
        if not samples:
            continue
        lines.append(f"# HELP {family.name} {family.help}")
        kind = "histogram" if family.times else "counter" if family.counts else "gauge"
        lines.append(f"# TYPE {family.name} {kind}")
        if family.times:
            for labels, buckets, sum in _histograms(samples):
                for bound, count in buckets:
                    lines.append(_line(family.name + "_bucket", (*labels, ("le", bound)), count))
                lines.append(_line(family.name + "_sum", labels, sum))
                lines.append(_line(family.name + "_count", labels, buckets[-1][1]))
            continue
        for labels, value in sorted(samples.items()):
            lines.append(_line(family.name, labels, value))
    return "\n".join(lines) + "\n" if lines else ""


def _line(name: str, labels: _families.Labels, value: float) -> str:
    inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
    return f"{name}{{{inside}}} {_number(value)}"


def _histograms(
    samples: dict[_families.Labels, float],
) -> list[tuple[_families.Labels, list[tuple[str, float]], float]]:
    """Each histogram among these samples: its labels, its buckets in order, and its sum."""
    found: dict[_families.Labels, dict[str, float]] = {}
    for labels, value in samples.items():
        found.setdefault(labels[:-1], {})[labels[-1][1]] = value
    told = []
    for labels, buckets in sorted(found.items()):
        sum = buckets.pop(_families.SUM[1], 0.0)
        # "+Inf" is a number to Python too.
        told.append((labels, sorted(buckets.items(), key=lambda one: float(one[0])), sum))
    return told


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


class Collector:
    """A collector of ``prometheus_client``'s, for a registry of the application's own."""

    def describe(self) -> list[Any]:
        """Nothing: so that registering counts nothing."""
        return []

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        values = _values()
        for family in _families.FAMILIES:
            samples = values.get(family.name)
            if not samples:
                continue
            labels = [name for name, _ in next(iter(samples))]
            if family.times:
                histogram = HistogramMetricFamily(family.name, family.help, labels=labels[:-1])
                for key, buckets, sum in _histograms(samples):
                    histogram.add_metric([text for _, text in key], buckets=buckets, sum_value=sum)
                yield histogram
                continue
            kind = CounterMetricFamily if family.counts else GaugeMetricFamily
            metric = kind(family.name.removesuffix("_total"), family.help, labels=labels)
            for key, value in sorted(samples.items()):
                metric.add_metric([text for _, text in key], value)
            yield metric


def register(registry: Any = None) -> Collector:
    """Registers a :class:`Collector`, by default in ``prometheus_client``'s own registry.

    In its multi-process mode: in the registry that is made for each scrape, beside its ``MultiProcessCollector``.
    """
    try:
        from prometheus_client import REGISTRY
    except ImportError as error:
        raise ImportError(
            "seawall.prometheus.register needs prometheus_client (pip install prometheus-client); seawall.prometheus.text() "
            "does without"
        ) from error
    registry = REGISTRY if registry is None else registry
    collector = _registered.get(registry)
    if collector is None:
        # Asked twice, it would tell everything twice.
        collector = _registered[registry] = Collector()
        registry.register(collector)
    return collector


_registered: weakref.WeakKeyDictionary[Any, Collector] = weakref.WeakKeyDictionary()
