"""Answers whose numbers are slots: the text is written with names, the values are filled in from evidence."""

from __future__ import annotations

from collections.abc import Mapping

from copilot.chat.prompts import load_prompt
from copilot.core.findings import Document, Evidence
from copilot.reporting.words import citation_label, evidence_value


class Citation(Document):
    """Where a number of an answer comes from."""

    id: str
    label: str
    value: str
    source: str
    epoch: int | float | None = None


class Answer(Document):
    """An answer about one run; ``[E7]`` in the text points to the citation of that id."""

    question: str
    intent: str
    text: str
    citations: tuple[Citation, ...] = ()
    suggestions: tuple[str, ...] = ()
    run_id: str | None = None

    def as_text(self) -> str:
        """For a terminal: the answer, then its sources."""
        sources = [f"  [{c.id}] {c.label}: {c.value}" + (f" ({c.source})" if c.source else "") for c in self.citations]
        return "\n".join([self.text, *(["", "Sources", *sources] if sources else [])])

    def as_markdown(self) -> str:
        sources = [
            f"- **{c.id}** {c.label}: {c.value}" + (f" (`{c.source}`)" if c.source else "") for c in self.citations
        ]
        return "\n".join([self.text, *(["", *sources] if sources else [])])


class Writer:
    """Collects the sentences of an answer and the evidence that they cite."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.cited: dict[str, Evidence] = {}

    def say(
        self,
        prompt: str,
        words: Mapping[str, str] | None = None,
        evidence: Mapping[str, tuple[Evidence, str]] | None = None,
    ) -> None:
        """Add the sentence of ``prompts/answers/<prompt>.md``.

        Parameters
        ----------
        prompt : str
        words : mapping, optional
            Plain words by placeholder; never numbers of the analysis.
        evidence : mapping of placeholder to (Evidence, field), optional
            Numbers: ``field`` is ``value`` or ``epoch``. Each is followed by the id of its evidence.
        """
        filled = dict(words or {})
        for slot, (item, field) in (evidence or {}).items():
            filled[slot] = f"{evidence_value(item, field)} [{item.id}]"
            self.cited[item.id] = item
        self.sentences.append(load_prompt(f"answers/{prompt}", tuple(sorted(filled))).format(**filled))

    def quote(self, summary: str, evidence: list[Evidence]) -> None:
        """Add a finding's own sentence with the evidence behind it."""
        marks = " ".join(f"[{item.id}]" for item in evidence)
        self.sentences.append(f"{summary} {marks}".strip())
        self.cited.update({item.id: item for item in evidence})

    def citations(self) -> tuple[Citation, ...]:
        return tuple(
            Citation(id=e.id, label=citation_label(e), value=evidence_value(e), source=e.source, epoch=e.epoch)
            for e in self.cited.values()
        )
