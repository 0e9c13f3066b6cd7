"""What a check found."""

from __future__ import annotations

import dataclasses
import enum


class CheckError(Exception):
    """It could not be looked: what, where, and what to do."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class Severity(enum.Enum):
    """How much a finding matters."""

    #: It fails now, or loses something when Redis breaks.
    ERROR = "error"
    #: It fails, hangs or costs more than it must when Redis breaks or traffic grows.
    WARNING = "warning"
    #: It could not be looked at, or costs clarity: nothing fails for it.
    NOTICE = "notice"


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something to change."""

    #: The check's stable name, such as ``"server-unreachable"``: docs/python/check.md has them all.
    code: str
    severity: Severity
    #: Where it stands: a setting, a URL without its password, a file.
    where: str
    #: What is wrong, with its numbers.
    what: str
    #: What to do: a line to paste where there is one.
    fix: str

    def as_json(self) -> dict[str, str]:
        return {**dataclasses.asdict(self), "severity": self.severity.value}


@dataclasses.dataclass(frozen=True)
class Said:
    """What a check says; its name and severity are the check's."""

    where: str
    what: str
    fix: str
