"""What the verbs about data give back, beside the comparison of two sets."""

from __future__ import annotations

from dataclasses import replace

from copilot.core.data.description import Description
from copilot.core.findings import Document, Outcome, Picture


def sourced(outcome: Outcome, source: str) -> Outcome:
    """The outcome, its numbers with where they come from, if they do not say so themselves."""
    evidence = tuple(replace(item, source=item.source or source) for item in outcome.evidence)
    return outcome.model_copy(update={"evidence": evidence})


class DescribedData(Document):
    """A set of images described, with pictures of it."""

    description: Description
    pictures: tuple[Picture, ...] = ()


class DuplicatedData(Document):
    """Images that two sets share: the outcome of OVF402, with sheets of the pairs. ``a`` and ``b`` name the sets."""

    a: str
    b: str
    outcome: Outcome
    pictures: tuple[Picture, ...] = ()
