"""Answers whose numbers are slots: the text is written with names, the values are filled in from evidence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from copilot.chat.prompts import load_prompt
from copilot.core.findings import Document, Evidence
from copilot.reporting.markdown import escape_markdown
from copilot.reporting.words import MISSING, citation_label, evidence_in_full, evidence_value
from copilot.utils.validators import clean_text

_MARK = re.compile(r"\[(?=E\d)")
_ESCAPED_MARK = re.compile(r"\\\[(E\d+)\\\]")
_LINE = 1000


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
        """For a pull request or a chat room; names that the run logged are escaped."""
        paragraphs = [_ESCAPED_MARK.sub(r"[\1]", escape_markdown(p, _LINE)) for p in self.text.split("\n\n")]
        sources = [
            escape_markdown(f"{c.id} {c.label}: {c.value}" + (f" ({c.source})" if c.source else ""))
            for c in self.citations
        ]
        return "\n\n".join([*paragraphs, *(["\n".join(f"- {line}" for line in sources)] if sources else [])])


class Writer:
    """Collects the sentences of an answer and the evidence that they cite."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.cited: dict[str, Evidence] = {}

    def say(
        self,
        prompt: str,
        words: Mapping[str, str] | None = None,
        evidence: Mapping[str, tuple[Evidence | None, str]] | None = None,
    ) -> None:
        """Add the sentence of ``prompts/answers/<prompt>.md``.

        Parameters
        ----------
        prompt : str
        words : mapping, optional
            Plain words by placeholder; never numbers of the analysis.
        evidence : mapping of placeholder to (Evidence, field), optional
            Numbers: ``field`` is ``value`` or ``epoch``. Each is followed by the id of its evidence; a dash stands
            where there is none.
        """
        filled = {slot: _foreign(text) for slot, text in (words or {}).items()}
        for slot, (item, field) in (evidence or {}).items():
            filled[slot] = f"{evidence_value(item, field)} [{item.id}]" if item else MISSING
            self.cited.update({item.id: item} if item else {})
        self.sentences.append(load_prompt(f"answers/{prompt}", tuple(sorted(filled))).format(**filled))

    def quote(self, sentence: str, evidence: Iterable[Evidence] = ()) -> None:
        """Add a sentence of the analysis with the evidence behind it."""
        behind = {item.id: item for item in evidence}
        self.sentences.append(" ".join([_foreign(sentence), *(f"[{i}]" for i in behind)]))
        self.cited.update(behind)

    def citations(self) -> tuple[Citation, ...]:
        return tuple(
            Citation(
                id=e.id, label=citation_label(e), value=evidence_in_full(e), source=clean_text(e.source), epoch=e.epoch
            )
            for e in self.cited.values()
        )


def _foreign(text: str) -> str:
    """Text in which names that a run logged may stand: one line, and nothing that looks like a citation of ours."""
    return _MARK.sub("(", clean_text(text, _LINE))
