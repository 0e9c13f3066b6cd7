"""Looks at a server, the URL that leads to it and the frameworks that use it, and says what to change::

    import seawall.check

    for finding in seawall.check.run("redis://localhost:6379/0", django="shop.settings"):
        print(finding.severity.value, finding.code, finding.where, finding.what, finding.fix)

The command line's ``seawall check`` shows the same. Nothing is written to a server, and no password, key or value is
shown.
"""

from ._finding import CheckError, Finding, Severity
from ._run import Report, examine, run

__all__ = ["CheckError", "Finding", "Report", "Severity", "examine", "run"]
