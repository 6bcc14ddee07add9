"""What could not be read: each one counted, each kind logged once."""

from __future__ import annotations

import logging
from collections import Counter

_log = logging.getLogger("emily_bus")


class Refusals:
    """Counts by key template and kind.

    Attributes:
        counts: How often each `(template, kind)` was refused.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def note(self, template: str, kind: str, detail: str) -> None:
        """Count a refusal; the first of its kind is logged."""
        self.counts[template, kind] += 1
        if self.counts[template, kind] == 1:
            _log.warning("%s: refused, %s (logged once per kind, counted from here on)", template, detail)
