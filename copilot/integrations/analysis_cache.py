"""A local copy of the analyses of one MLflow store's runs, by run and by all that an analysis follows from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl

from copilot.integrations.parquet_segments import Segments, rows

_LIGHT = ("subject", "diagnosis", "glance")  # parts of a document that tables show


@dataclass(frozen=True)
class StoredAnalysis:
    """An analysis as JSON: its light parts at hand, the whole document when asked for."""

    subject: str
    diagnosis: str
    glance: str
    _file: bytes
    _row: int

    @property
    def document(self) -> str:
        """The whole document."""
        return _documents(self._file)[self._row]


@lru_cache(maxsize=4)
def _documents(content: bytes) -> list[str]:
    return rows(content, ["document"])["document"].to_list()


class AnalysisCache:
    """Analyses of one store. `mark` stands for all that an analysis follows from: curves, settings, version.

    Parameters
    ----------
    folder : Path
    note : callable, optional
        Gets a line for the person when something is wrong with the cache.
    """

    def __init__(self, folder: Path, note: Callable[[str], None] | None = None) -> None:
        self._runs = Segments(folder / "analyses", note)
        self._groups = Segments(folder / "comparisons", note)

    def load(self, marks: Mapping[str, str]) -> dict[str, StoredAnalysis]:
        """By run id the analyses that are known under their mark."""
        found: dict[str, StoredAnalysis] = {}
        for name in self._runs.names():
            if len(found) == len(marks):
                break
            if (content := self._runs.content(name)) is not None:
                for at, (run_id, mark, *light) in enumerate(rows(content, ["run_id", "mark", *_LIGHT]).iter_rows()):
                    if run_id not in found and marks.get(run_id) == mark:
                        found[run_id] = StoredAnalysis(*light, content, at)
        return found

    def save(self, marks: Mapping[str, str], analyses: Mapping[str, Sequence[str]]) -> None:
        """Keep analyses: by run id the JSON of subject, diagnosis, glance and document."""
        kept = [run_id for run_id in analyses if marks.get(run_id)]
        if kept:
            columns = dict(zip((*_LIGHT, "document"), zip(*(analyses[i] for i in kept), strict=True), strict=True))
            self._runs.append(pl.DataFrame({"run_id": kept, "mark": [marks[i] for i in kept], **columns}))

    def load_comparison(self, mark: str) -> str | None:
        """The document of a comparison."""
        for name in self._groups.names():
            frame = self._groups.read(name)
            found = [] if frame is None else frame.filter(pl.col("mark") == mark)["document"].to_list()
            if found:
                return found[0]
        return None

    def save_comparison(self, mark: str, document: str) -> None:
        self._groups.append(pl.DataFrame({"mark": [mark], "document": [document]}))

    def tidy(self) -> None:
        """Put small files together; of each run and each comparison only the newest is kept."""
        self._runs.tidy(lambda frame: frame.unique("run_id", keep="last", maintain_order=True))
        self._groups.tidy(lambda frame: frame.unique("mark", keep="last", maintain_order=True).tail(50))
