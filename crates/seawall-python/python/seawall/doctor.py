"""Why calls to Redis failed, for programs: what ``seawall doctor`` says::

    import seawall.doctor

    told = seawall.doctor.diagnose("redis://localhost:6379/0", "/var/log/redis/redis-server.log", "app.log")
    print(told)                            # the first screen
    if told.cause is not None:
        print(told.cause.code, told.cause.confidence, told.cause.claim)

It only reads: no key, value or password is looked at or shown. See docs/doctor.md.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from . import _ext

__all__ = ["Diagnosis", "DoctorError", "Evidence", "Finding", "Fix", "diagnose"]


class DoctorError(Exception):
    """Nothing could be looked at, or a source is none; its text says which, and what to do."""


@dataclass(frozen=True)
class Evidence:
    """Where something stands, and what it says."""

    place: str
    says: str


@dataclass(frozen=True)
class Fix:
    """What to do, what it may cost, and how to take it back."""

    action: str
    risk: str
    undo: str


@dataclass(frozen=True)
class Finding:
    """What one rule found."""

    #: The rule, such as ``"SW301"``: `seawall explain SW301` says more.
    code: str
    title: str
    #: ``"cause"``, ``"contributing"``, ``"consequence"``, ``"risk"`` or ``"ruled_out"``.
    verdict: str
    #: ``"proved"``, ``"strong"``, ``"likely"`` or ``"possible"``.
    confidence: str
    #: Observation, mechanism and certainty in a sentence or two.
    claim: str
    #: Whom it struck: clients, processes, servers.
    subjects: tuple[str, ...]
    supports: tuple[Evidence, ...]
    contradicts: tuple[Evidence, ...]
    fixes: tuple[Fix, ...]
    #: How to see that it is mended.
    check: str
    #: The same for the same trouble in another run.
    fingerprint: str

    @classmethod
    def _of(cls, told: dict[str, Any]) -> Finding:
        def evidence(name: str) -> tuple[Evidence, ...]:
            return tuple(Evidence(one["place"], one["says"]) for one in told[name])

        return cls(
            code=told["code"],
            title=told["title"],
            verdict=told["verdict"],
            confidence=told["confidence"],
            claim=told["claim"],
            subjects=tuple(told["subjects"]),
            supports=evidence("supports"),
            contradicts=evidence("contradicts"),
            fixes=tuple(Fix(one["action"], one["risk"], one["undo"]) for one in told["fixes"]),
            check=told["check"],
            fingerprint=told["fingerprint"],
        )


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor says; as text, its first screen."""

    #: Whether the server stayed up; ``None`` where nothing tells.
    up: bool | None
    #: What was found, what matters most first.
    findings: tuple[Finding, ...]
    #: What did not happen.
    ruled_out: tuple[Finding, ...]
    #: How many failed calls the applications' logs tell of.
    failures: int
    #: Sources that could not be read, and why.
    unread: tuple[str, ...]
    _told: dict[str, Any]
    _text: str

    @property
    def cause(self) -> Finding | None:
        """What is shown first, if anything went wrong."""
        first = self.findings[0] if self.findings else None
        return None if first is None or first.verdict == "risk" else first

    def as_dict(self) -> dict[str, Any]:
        """Everything, as ``seawall doctor --json`` has it: docs/doctor-json.md."""
        told: dict[str, Any] = json.loads(json.dumps(self._told))
        return told

    def __str__(self) -> str:
        return self._text


def diagnose(*sources: str | os.PathLike[str], within: float = 5.0) -> Diagnosis:
    """Looks at servers (URLs) and files (logs, what INFO answered, ..), in any order, and says why calls failed.

    Without a source it looks at ``redis://127.0.0.1:6379``. A look at one server ends ``within`` so many seconds, 0.1 to 60.
    Raises :class:`DoctorError` if nothing could be looked at; if only some could not, ``unread`` has them.
    """
    if not isinstance(within, (int, float)) or not 0.1 <= within <= 60:
        raise ValueError(f"within is {within!r}: give a number of seconds from 0.1 to 60")
    told, text, unread = _ext.diagnose([os.fspath(source) for source in sources], within)
    if told is None:
        raise DoctorError("\n".join(unread))
    found = json.loads(told)
    return Diagnosis(
        up=found["up"],
        findings=tuple(map(Finding._of, found["findings"])),
        ruled_out=tuple(map(Finding._of, found["ruled_out"])),
        failures=found["failures"],
        unread=tuple(unread),
        _told=found,
        _text=text,
    )
