"""The paper library: Chroma keeps the papers and their vectors, SQLite's FTS5 finds them by their words.

Search ranks by FTS5 (BM25 over title, authors and abstract, with stemming) and not by the vectors: these are hashed
words, made without a model or a network, and mixing them in measurably lowers recall. They are kept so that a better
embedding can take their place. A Chroma client never sees vectors that another process adds, and two writers overwrite
each other's: so every call opens Chroma afresh, and a write holds the index's lock, which spans processes.
"""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np

from copilot.core.papers import Paper, content_words, deduplicate
from copilot.errors import CopilotError, MissingExtraError, ToolError
from copilot.utils.validators import clean_text, home_folder

try:
    import chromadb
    from chromadb.config import Settings as ChromaSettings
except ImportError as error:
    raise MissingExtraError("The paper library", "research") from error

COLLECTION = "papers"
INDEX_FILE = "words.sqlite3"
VECTOR_SIZE = 512
BATCH = 500
LOCK_WAIT_S = 15.0
_TITLE, _AUTHORS, _ABSTRACT = 4.0, 1.0, 1.0
_one_at_a_time = threading.RLock()  # Chroma shares one client state per folder in a process


def embed(texts: Sequence[str]) -> np.ndarray:
    """Hashed words and word pairs: the same text gives the same vector on every machine, without a model.

    Returns
    -------
    ndarray, shape (len(texts), VECTOR_SIZE), float32
        Rows of unit length; a text without content words is all zero.

    References
    ----------
    Weinberger et al. (2009), Feature hashing for large scale multitask learning, ICML.
    """
    vectors = np.zeros((len(texts), VECTOR_SIZE), dtype=np.float32)
    for row, text in zip(vectors, texts, strict=True):
        words = content_words(text, 2000)
        for term in [*words, *(f"{a} {b}" for a, b in pairwise(words))]:
            code = zlib.crc32(term.encode())
            row[code % VECTOR_SIZE] += 1.0 if code & 0x80000000 else -1.0
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=vectors, where=lengths > 0)


class PaperLibrary:
    """Papers found before, searchable without a network. Every method raises ToolError if the library is damaged.

    Parameters
    ----------
    folder : Path, optional
        Where the library lies; default: ``papers`` in the home folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = Path(folder) if folder else home_folder() / "papers"

    def add(self, papers: Sequence[Paper]) -> int:
        """Keep `papers`; one that is known is replaced. Returns how many the library then holds."""
        fresh = list({paper.id: paper.model_copy(update={"relevance": None}) for paper in papers}.values())
        with self._opened(write=True) as (collection, index):
            for start in range(0, len(fresh), BATCH):
                batch = fresh[start : start + BATCH]
                texts = [f"{paper.title}\n{paper.abstract}" for paper in batch]
                collection.upsert(
                    ids=[paper.id for paper in batch],
                    embeddings=embed(texts),
                    documents=texts,
                    metadatas=[{"paper": paper.model_dump_json()} for paper in batch],
                )
                _index(index, batch)
            return collection.count()

    def search(self, query: str, limit: int = 10) -> list[Paper]:
        """Papers that share words with `query`, the best match by BM25 first; none without a content word."""
        words = content_words(query)
        if not words:
            return []
        match = " OR ".join(f'"{word}"' for word in words)
        ranking = f"bm25(papers, 0.0, {_TITLE}, {_AUTHORS}, {_ABSTRACT})"  # columns: id, title, authors, abstract
        with self._opened() as (collection, index):
            sql = f"SELECT id FROM papers WHERE papers MATCH ? ORDER BY {ranking} LIMIT ?"
            rows = index.execute(sql, (match, 2 * limit)).fetchall()
            return deduplicate(_fetch(collection, [row[0] for row in rows]))[:limit]

    def count(self) -> int:
        """How many papers the library holds."""
        with self._opened() as (collection, _):
            return collection.count()

    def get(self, paper_id: str) -> Paper | None:
        """The paper with this id, such as ``arxiv:1512.00567``, or None."""
        with self._opened() as (collection, _):
            return next(iter(_fetch(collection, [paper_id])), None)

    def all(self, limit: int = 100) -> list[Paper]:
        """The papers kept last, the newest first."""
        with self._opened() as (collection, index):
            rows = index.execute("SELECT id FROM papers ORDER BY rowid DESC LIMIT ?", (limit,)).fetchall()
            return _fetch(collection, [row[0] for row in rows])

    @contextmanager
    def _opened(self, write: bool = False) -> Iterator[tuple[chromadb.Collection, sqlite3.Connection]]:
        """Chroma's collection and the word index, in step; with `write`, nobody else writes meanwhile."""
        with _one_at_a_time:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                with closing(_connect(self.folder / INDEX_FILE)) as index, _chroma(self.folder) as collection:
                    if write or _out_of_step(collection, index):
                        index.execute("BEGIN IMMEDIATE")
                        _bring_into_step(collection, index)
                    yield collection, index
                    index.commit()
            except CopilotError:
                raise
            except sqlite3.OperationalError as error:
                raise self._locked_or_broken(error) from error
            except Exception as error:  # Chroma raises errors of many kinds on damaged files
                raise self._broken(error) from error

    def _locked_or_broken(self, error: sqlite3.OperationalError) -> ToolError:
        if "locked" not in str(error):
            return self._broken(error)
        return ToolError(f"The paper library in {self.folder} is in use by another process.", "Try again in a moment.")

    def _broken(self, error: Exception) -> ToolError:
        return ToolError(
            f"The paper library in {self.folder} cannot be opened: {clean_text(error, 120)}.",
            "Move that folder away; the next search starts a new one.",
        )


@contextmanager
def _chroma(folder: Path) -> Iterator[chromadb.Collection]:
    settings = ChromaSettings(anonymized_telemetry=False)
    with closing(chromadb.PersistentClient(path=str(folder), settings=settings)) as client:
        yield client.get_or_create_collection(COLLECTION, embedding_function=None)  # the default downloads a model


def _connect(file: Path) -> sqlite3.Connection:
    index = sqlite3.connect(file, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
    index.execute(
        "CREATE VIRTUAL TABLE IF NOT EXISTS papers USING fts5"
        "(id UNINDEXED, title, authors, abstract, tokenize = 'porter unicode61')"
    )
    return index


def _index(index: sqlite3.Connection, papers: Sequence[Paper]) -> None:
    index.executemany("DELETE FROM papers WHERE id = ?", [(paper.id,) for paper in papers])
    rows = [(paper.id, paper.title, " ".join(paper.authors), paper.abstract) for paper in papers]
    index.executemany("INSERT INTO papers (id, title, authors, abstract) VALUES (?, ?, ?, ?)", rows)


def _out_of_step(collection: chromadb.Collection, index: sqlite3.Connection) -> bool:
    return collection.count() != index.execute("SELECT count(*) FROM papers").fetchone()[0]


def _bring_into_step(collection: chromadb.Collection, index: sqlite3.Connection) -> None:
    """Make the index again from Chroma if they differ: a process may have died between the two writes."""
    if not _out_of_step(collection, index):
        return
    index.execute("DELETE FROM papers")
    for start in range(0, collection.count(), BATCH):
        found = collection.get(limit=BATCH, offset=start, include=["metadatas"])["metadatas"]
        _index(index, [Paper.model_validate_json(item["paper"]) for item in found])


def _fetch(collection: chromadb.Collection, ids: list[str]) -> list[Paper]:
    """The papers with these ids, in their order; unknown ids are left out."""
    if not ids:
        return []
    found = collection.get(ids=ids, include=["metadatas"])
    stored = {key: item["paper"] for key, item in zip(found["ids"], found["metadatas"], strict=True)}
    return [Paper.model_validate_json(stored[key]) for key in ids if key in stored]
