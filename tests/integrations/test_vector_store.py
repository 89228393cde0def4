from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings

from copilot.core.papers import Paper
from copilot.errors import ToolError
from copilot.integrations.vector_store import COLLECTION, INDEX_FILE, VECTOR_SIZE, PaperLibrary, embed
from tests.integrations.paper_servers import CORPUS


def papers() -> list[Paper]:
    return [
        Paper.of(
            title=item["title"],
            source="arXiv",
            arxiv_id=item.get("arxiv"),
            doi=item.get("doi"),
            authors=item["authors"],
            year=item["year"],
            abstract=item["abstract"],
        ).model_copy(update={"relevance": 0.5})
        for item in CORPUS
    ]


def made(n: int, title: str = "Paper") -> Paper:
    return Paper.of(title=f"{title} number {n}", source="arXiv", arxiv_id=f"2001.{n:05d}")


@pytest.fixture
def library(tmp_path: Path) -> PaperLibrary:
    return PaperLibrary(tmp_path / "papers")


def test_it_lies_in_the_home_folder(home: Path):
    assert PaperLibrary().folder == home / "papers"
    assert PaperLibrary().count() == 0
    assert (home / "papers" / "chroma.sqlite3").is_file()


def test_papers_are_kept_and_come_back_whole(library: PaperLibrary):
    assert library.add(papers()) == 4
    again = PaperLibrary(library.folder)
    expected = papers()[0].model_copy(update={"relevance": None})
    assert again.get("arxiv:1804.06872") == expected
    assert again.get("arxiv:9999.99999") is None
    assert [paper.id for paper in again.all(limit=2)] == ["doi:10.5555/2627435.2670313", "arxiv:1708.02002"]


def test_a_known_paper_is_replaced(library: PaperLibrary):
    library.add(papers())
    renamed = papers()[0].model_copy(update={"title": "Quokka training"})
    assert library.add([renamed, renamed]) == 4
    assert library.get(renamed.id).title == "Quokka training"
    assert [paper.id for paper in library.search("quokka")] == [renamed.id]
    assert library.all(1)[0].id == renamed.id


def test_search_ranks_by_words_with_stemming(library: PaperLibrary):
    library.add([*papers(), *(made(n) for n in range(20))])
    assert library.search("dropping unit")[0].title.startswith("Dropout")
    assert library.search("imbalanced classes detection")[0].id == "arxiv:1708.02002"
    assert [paper.id for paper in library.search("label noise with wrong labels", limit=1)] == ["arxiv:1911.00068"]
    assert library.search("Girshick")[0].id == "arxiv:1708.02002"
    assert library.search("xylophone") == library.search("what is the") == library.search("") == []


@pytest.mark.parametrize(
    "query", ['" OR title:', "NEAR(a b)", "labels'; DROP TABLE papers;--", "*", "a" * 10_000, "\x00 ( ^"]
)
def test_a_query_cannot_break_the_search(library: PaperLibrary, query: str):
    library.add(papers())
    library.search(query)
    assert library.count() == 4


def test_one_work_under_two_ids_is_shown_once(library: PaperLibrary):
    library.add(papers()[:1])
    twin = Paper.of(title=CORPUS[0]["title"], source="x", doi="10.1000/co", authors=["Bo Han"])
    assert library.add([twin]) == 2
    (found,) = library.search("co-teaching")
    assert (found.arxiv_id, found.doi) == ("1804.06872", "10.1000/co")


def test_another_process_writes_and_is_seen_at_once(library: PaperLibrary):
    library.add([made(1)])
    script = (
        "import sys; from pathlib import Path; from copilot.core.papers import Paper;"
        "from copilot.integrations.vector_store import PaperLibrary;"
        "library = PaperLibrary(Path(sys.argv[1]));"
        "assert library.get('arxiv:2001.00001');"
        "library.add([Paper.of(title='Zebra stripes', source='arXiv', arxiv_id='2002.00001')])"
    )
    subprocess.run([sys.executable, "-c", script, str(library.folder)], check=True, timeout=120)
    assert library.count() == 2
    assert library.get("arxiv:2002.00001").title == "Zebra stripes"
    assert [paper.id for paper in library.search("zebra")] == ["arxiv:2002.00001"]
    assert library.add([made(3)]) == 3
    assert _vectors_found(library) == 3


def test_threads_may_write_at_once(library: PaperLibrary):
    threads = [threading.Thread(target=library.add, args=([made(n), made(n + 50)],)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert library.count() == 12 == len(library.all())


def test_a_lost_index_is_made_again(library: PaperLibrary):
    library.add(papers())
    (library.folder / INDEX_FILE).unlink()
    assert library.search("dropout")[0].title.startswith("Dropout")
    assert len(library.all()) == 4


def test_a_damaged_library_says_what_to_do(library: PaperLibrary):
    library.add(papers())
    (library.folder / "chroma.sqlite3").write_bytes(b"garbage" * 1000)
    for call in (library.count, lambda: library.add(papers()), lambda: library.search("dropout"), library.all):
        with pytest.raises(ToolError, match=r"paper library in .* cannot be opened: .*Move that folder away") as caught:
            call()
        assert "\n" not in str(caught.value)


def test_another_database_in_its_place_says_what_to_do(library: PaperLibrary):
    library.folder.mkdir(parents=True)
    with sqlite3.connect(library.folder / "chroma.sqlite3") as other:
        other.execute("CREATE TABLE collections (a)")
    other.close()
    with pytest.raises(ToolError, match="Move that folder away"):
        library.count()


def test_a_damaged_index_says_what_to_do(library: PaperLibrary):
    library.add(papers())
    (library.folder / INDEX_FILE).write_bytes(b"garbage" * 1000)
    with pytest.raises(ToolError, match="cannot be opened: file is not a database"):
        library.search("dropout")


def test_a_file_in_place_of_the_folder_says_what_to_do(tmp_path: Path):
    (tmp_path / "papers").write_text("x")
    with pytest.raises(ToolError, match="cannot be opened"):
        PaperLibrary(tmp_path / "papers").count()


def test_a_library_in_use_is_told_apart_from_a_damaged_one(library: PaperLibrary, monkeypatch):
    library.add(papers())
    monkeypatch.setattr("copilot.integrations.vector_store.LOCK_WAIT_S", 0.1)
    with sqlite3.connect(library.folder / INDEX_FILE, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert library.search("dropout")
        with pytest.raises(ToolError, match=r"in use by another process\. Try again"):
            library.add(papers())
    other.close()


def test_nothing_is_sent_or_downloaded(library: PaperLibrary, monkeypatch):
    asked = []

    def refuse(self, address):
        asked.append(address)
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    library.add(papers())
    assert library.search("dropout")
    assert asked == []


def test_no_files_stay_open(library: PaperLibrary):
    library.add(papers())
    for _ in range(5):
        library.search("dropout")
    for _ in range(100):  # Chroma closes its files from a thread of its own
        if not _open_files(library.folder):
            break
        time.sleep(0.05)
    assert _open_files(library.folder) == []


def test_vectors_are_the_same_everywhere_and_of_unit_length():
    vectors = embed(["Learning with noisy labels", "learning, with NOISY labels!", "object detection", "the of"])
    assert vectors.shape == (4, VECTOR_SIZE)
    np.testing.assert_array_equal(vectors[0], vectors[1])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0], atol=1e-6)
    assert vectors[0] @ vectors[2] < 0.3
    assert (
        np.flatnonzero(embed(["labels"])).tolist() == np.flatnonzero(embed(["labels"])).tolist() == [_place("labels")]
    )


def _open_files(folder: Path) -> list[Path]:
    links = Path("/proc/self/fd").iterdir()
    return [link.resolve() for link in links if link.exists() and str(folder) in str(link.resolve())]


def _place(word: str) -> int:
    return zlib.crc32(word.encode()) % VECTOR_SIZE


def _vectors_found(library: PaperLibrary) -> int:
    client = chromadb.PersistentClient(str(library.folder), settings=Settings(anonymized_telemetry=False))
    try:
        collection = client.get_collection(COLLECTION, embedding_function=None)
        return len(collection.query(query_embeddings=embed(["zebra"]), n_results=10)["ids"][0])
    finally:
        client.close()
