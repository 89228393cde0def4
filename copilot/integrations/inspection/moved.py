"""The checks of drift as part of an inspection: they compare two sets at once, so one comparison answers for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from copilot.core.checks.base import BaseCheck
from copilot.core.data.embedding_drift import EmbeddingDrift
from copilot.core.data.label_drift import LabelDrift
from copilot.core.data.property_drift import PropertyDrift
from copilot.core.detector import muted
from copilot.core.findings import Outcome, Picture
from copilot.errors import CopilotError, JobCancelled
from copilot.integrations.images.base import ImageSet
from copilot.integrations.inspection.comparison import DriftChecks, compare_sets
from copilot.utils.validators import clean_text

DRIFT = (PropertyDrift, LabelDrift, EmbeddingDrift)


def what_moved(
    train: ImageSet,
    val: ImageSet,
    checks: Sequence[BaseCheck],
    ignore: Mapping[str, str],
    work: Mapping[str, Any],
    progress: Callable[[float, str], None],
) -> dict[str, tuple[Outcome, tuple[Picture, ...]]]:
    """By code what the checks of drift say of two splits; where these cannot be compared, each says why.

    Parameters
    ----------
    train, val : ImageSet
    checks : sequence of BaseCheck
    ignore : mapping of code to reason
        Muted checks.
    work : mapping
        Further arguments of `compare_sets`.
    progress : callable
    """
    own = {type(check): check for check in checks if isinstance(check, DRIFT)}
    found = {c.code: (muted(c.code, c.title, ignore[c.code]), ()) for c in own.values() if c.code in ignore}
    if len(found) == len(own):
        return found
    by_type = DriftChecks(*(own.get(kind) or kind() for kind in DRIFT))
    try:
        compared = compare_sets(train, val, revisions=False, checks=by_type, progress=progress, **work)
    except JobCancelled:
        raise
    except CopilotError as error:
        why = clean_text(str(error), 300)
        return {check.code: (check.outcome("error", why), ()) for check in own.values()} | found
    told = {o.code: (o, tuple(p for p in compared.pictures if p.finding_code == o.code)) for o in compared.outcomes}
    return {check.code: told[check.code] for check in own.values()} | found
