"""The parts of a report, in words ready to be shown; what templates and writers see."""

from __future__ import annotations

from dataclasses import dataclass

from copilot.reporting.palette import Style


@dataclass(frozen=True)
class Link:
    """A word that points to a place in the report or to a paper; ``target`` is empty where there is none."""

    text: str
    target: str = ""


@dataclass(frozen=True)
class Chip:
    """Evidence beside the sentence that cites it: one piece with its value, or a row of ids (``E24–E35``)."""

    id: str
    target: str
    label: str = ""
    value: str = ""


@dataclass(frozen=True)
class Card:
    """One of the numbers that decide."""

    label: str
    value: str
    note: str = ""
    target: str = ""


@dataclass(frozen=True)
class CauseBar:
    label: str
    share: float
    sure: Link
    found: tuple[Link, ...]
    against: tuple[Link, ...]


@dataclass(frozen=True)
class FindingView:
    code: str
    anchor: str
    title: str
    word: str
    style: Style
    summary: str
    sure: str
    chips: tuple[Chip, ...]


@dataclass(frozen=True)
class Advice:
    action: str
    why: str
    effect: str
    found: tuple[Link, ...]
    papers: tuple[Link, ...]


@dataclass(frozen=True)
class EvidenceRow:
    id: str
    anchor: str
    label: str
    value: str
    interval: str
    epoch: str
    source: str
    cited_by: tuple[Link, ...]


@dataclass(frozen=True)
class PictureView:
    """A picture in the page itself; ``of`` is the finding that it shows."""

    title: str
    caption: str
    address: str
    width: int
    height: int
    of: Link | None


@dataclass(frozen=True)
class ReportView:
    """Everything a report says, from the verdict to the provenance."""

    title: str
    kind: str
    meta: tuple[tuple[str, str], ...]
    verdict: str
    verdict_name: str
    style: Style
    sure: Link
    severity: str
    headline: str
    lead: str
    cards: tuple[Card, ...]
    causes: tuple[CauseBar, ...]
    advice: tuple[Advice, ...]
    issues: tuple[FindingView, ...]
    calm: tuple[FindingView, ...]
    pictures: tuple[PictureView, ...]
    pictures_left_out: int
    evidence: tuple[EvidenceRow, ...]
    evidence_left_out: int
    warnings: tuple[str, ...]
    warnings_left_out: int
    versions: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]
    duration: str
