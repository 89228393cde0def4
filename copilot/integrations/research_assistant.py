"""The research assistant: names the problem, asks the sources side by side, ranks, keeps, falls back on the library."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from types import MappingProxyType
from typing import NamedTuple, Protocol

from copilot.core.findings import CauseName
from copilot.core.papers import Paper, ResearchResult, SourceStatus, rank_papers
from copilot.errors import InputError, ToolError
from copilot.integrations.arxiv_source import ArxivSource
from copilot.integrations.semantic_scholar_source import SemanticScholarSource
from copilot.integrations.vector_store import PaperLibrary
from copilot.utils.config import ResearchSettings
from copilot.utils.validators import clean_text

LIBRARY = "library"
MAX_QUERY_CHARS = 300
Progress = Callable[[float, str], None]


class Topic(NamedTuple):
    """What to search for when this is the cause, and the words by which a question is known to be about it."""

    label: str
    terms: str
    signs: str


TOPICS: Mapping[CauseName, Topic] = MappingProxyType(
    {
        "label_noise": Topic(
            "label noise",
            "learning with noisy labels image classification",
            r"nois\w+ label|label nois|mislabel|wrong label|label error|corrupted label|memori[sz]",
        ),
        "leakage": Topic(
            "train-test leakage",
            "data leakage near-duplicate images train test contamination",
            r"leak|contaminat|duplicate",
        ),
        "distribution_shift": Topic(
            "distribution shift",
            "distribution shift domain generalization image classification",
            r"(distribution|covariate|domain) shift|domain (adaptation|generali[sz])|out.of.distribution|\bood\b|drift",
        ),
        "class_imbalance": Topic(
            "class imbalance",
            "class imbalance long-tailed recognition re-weighting loss",
            r"imbalanc|long.tail|minority class|rare class",
        ),
        "small_dataset": Topic(
            "too little data",
            "small dataset data augmentation transfer learning image classification",
            r"(small|little|limited|few|scarce) (\w+ )?(data|dataset|images|samples)|few.shot|augmentation",
        ),
        "validation_too_small": Topic(
            "a validation set too small to tell",
            "model evaluation variance small test set confidence intervals cross-validation",
            r"(small|tiny) (validation|test)|confidence interval|cross.validation",
        ),
        "validation_overused": Topic(
            "a validation set used too often",
            "adaptive overfitting validation set reuse holdout benchmark",
            r"(test|validation|holdout).set (reuse|overfit)|adaptive (overfitting|data analysis)|overus",
        ),
        "trained_too_long": Topic(
            "training for too long",
            "early stopping criterion overfitting neural network training",
            r"early stop|too (many epochs|long)|when to stop",
        ),
        "optimization": Topic(
            "optimisation trouble",
            "learning rate instability divergence deep network training optimization",
            r"learning rate|diverg|unstable|instabil|\bnan\b|exploding|oscillat",
        ),
        "underpowered_model": Topic(
            "too small a model",
            "underfitting model capacity scaling convolutional network accuracy",
            r"underfit|too small a model|small(er)? model|underpowered",
        ),
        "capacity": Topic(
            "too much capacity",
            "regularization dropout weight decay overparameterized network generalization",
            r"capacity|overparamet|over.parameteri|dropout|weight decay|regulari[sz]",
        ),
        "none": Topic("overfitting", "overfitting deep neural networks image classification", ""),
    }
)


class PaperSource(Protocol):
    """What a source of papers offers: an empty list is an answer, a ToolError is none."""

    name: str

    def search(self, query: str, limit: int = 10, keywords: Sequence[str] = ()) -> list[Paper]: ...


class _Answer(NamedTuple):
    status: SourceStatus
    papers: list[Paper]


def classify_problem(question: str) -> CauseName | None:
    """The cause that a question is about, by the words in it, or None."""
    text = question.lower()
    return next((cause for cause, topic in TOPICS.items() if topic.signs and re.search(topic.signs, text)), None)


def make_sources(settings: ResearchSettings) -> list[PaperSource]:
    """The sources that the settings name, in their order."""
    makers: dict[str, Callable[[], PaperSource]] = {
        "arxiv": lambda: ArxivSource(settings.arxiv_url, settings.timeout_s),
        "semantic_scholar": lambda: SemanticScholarSource(
            settings.semantic_scholar_url, settings.semantic_scholar_key, settings.timeout_s
        ),
    }
    return [makers[name]() for name in dict.fromkeys(settings.sources)]


class ResearchAssistant:
    """Finds papers on a problem.

    Parameters
    ----------
    settings : ResearchSettings
        Sources, their addresses, keywords and limits.
    library : PaperLibrary
        Where papers are kept, and what answers when no source does.
    """

    def __init__(self, settings: ResearchSettings, library: PaperLibrary) -> None:
        self._settings = settings
        self._library = library
        self._sources = make_sources(settings)

    def search(
        self, query: str | None = None, problem: str | None = None, progress: Progress | None = None
    ) -> ResearchResult:
        """Ask every source at once, merge, rank and keep what they found.

        Parameters
        ----------
        query : str, optional
            What to look for, in plain words.
        problem : str, optional
            A cause of the diagnosis, such as ``label_noise``. Its search terms are added to the query; if it is missing
            it is read from the query.
        progress : callable, optional
            Called with a fraction from 0 to 1 and a line; may raise `JobCancelled`.

        Raises
        ------
        InputError
            Neither a query nor a problem was given, or the problem is unknown.
        ToolError
            No source could be reached and the library has nothing on the question.
        """
        report = progress or (lambda fraction, line: None)
        question, cause = _question(query, problem)
        report(0.0, f"Asking {_listed([s.name for s in self._sources]) or 'the library'}")
        answers = self._ask_all(question, report)
        statuses = [answer.status for answer in answers]
        papers = rank_papers([answer.papers for answer in answers], question)[: self._settings.max_papers]
        from_library = False
        if papers:
            report(0.9, "Keeping the papers")
            self._keep(papers, statuses)
        elif not statuses or any(status.state == "failed" for status in statuses):
            report(0.9, "Looking in the library")
            papers = self._from_library(question, statuses)
            from_library = bool(papers)
        report(1.0, "Done")
        return ResearchResult(
            query=question,
            problem=cause,
            papers=tuple(papers),
            sources=tuple(statuses),
            from_library=from_library,
            summary=_summary(question, cause, len(papers), statuses, from_library),
        )

    def _ask_all(self, question: str, report: Progress) -> list[_Answer]:
        """Every source's answer, in the order of the sources."""
        if not self._sources:
            return []
        pool = ThreadPoolExecutor(len(self._sources), thread_name_prefix="research")
        try:
            asked = {pool.submit(self._ask, source, question): source for source in self._sources}
            for done, future in enumerate(as_completed(asked), start=1):
                status = future.result().status
                report(0.8 * done / len(asked), f"{status.name}: {_state_line(status)}")
            return [future.result() for future in asked]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # a cancelled search does not wait for slow sources

    def _ask(self, source: PaperSource, question: str) -> _Answer:
        started = time.monotonic()
        try:
            papers = source.search(question, self._settings.max_papers, self._settings.keywords)
            state, message = ("ok", "") if papers else ("empty", "No paper matches.")
        except ToolError as error:
            papers, state, message = [], "failed", str(error)
        seconds = round(time.monotonic() - started, 2)
        return _Answer(
            SourceStatus(name=source.name, state=state, message=message, n_papers=len(papers), seconds=seconds), papers
        )

    def _from_library(self, question: str, statuses: list[SourceStatus]) -> list[Paper]:
        started, broken = time.monotonic(), ""
        try:
            found = rank_papers([self._library.search(question, self._settings.max_papers)], question)
        except ToolError as error:
            found, broken = [], str(error)
        if not found and all(status.state == "failed" for status in statuses):
            lines = [status.message for status in statuses] or ["Name a source in research.sources."]
            what = f". {broken}" if broken else ", and the library has no paper on this."
            raise ToolError(f"No source answered{what}", " ".join(lines))
        state = "failed" if broken else "ok" if found else "empty"
        seconds = round(time.monotonic() - started, 2)
        statuses.append(SourceStatus(name=LIBRARY, state=state, message=broken, n_papers=len(found), seconds=seconds))
        return found

    def _keep(self, papers: list[Paper], statuses: list[SourceStatus]) -> None:
        """Put the papers into the library; that it fails is told, and does not spoil the answer."""
        try:
            self._library.add(papers)
        except ToolError as error:
            statuses.append(SourceStatus(name=LIBRARY, state="failed", message=str(error)))


def _question(query: str | None, problem: str | None) -> tuple[str, CauseName | None]:
    asked = clean_text(query or "", MAX_QUERY_CHARS)
    if problem is not None and problem not in TOPICS:
        near = difflib.get_close_matches(problem, TOPICS, n=1, cutoff=0.0)
        raise InputError(f"Unknown problem: {clean_text(problem, 60)}.", f"Did you mean {near[0]}?")
    if not asked and problem is None:
        raise InputError("There is nothing to search for.", "Give a question or the cause of a run.")
    cause = problem or classify_problem(asked)
    terms = TOPICS[problem].terms if problem else ""
    return " ".join(part for part in (asked, terms) if part), cause


def _summary(
    question: str, cause: CauseName | None, n_papers: int, statuses: Sequence[SourceStatus], from_library: bool
) -> str:
    about = TOPICS[cause].label if cause else f"“{clean_text(question, 80)}”"
    papers = f"{_counted(n_papers)} on {about}"
    asked = [status for status in statuses if status.name != LIBRARY]
    failed = _listed([status.name for status in asked if status.state == "failed"])
    lost = f" {failed} could not be used." if failed else ""
    if not n_papers:
        return f"No paper on {about} was found.{lost}"
    if from_library:
        return f"{papers} from earlier searches.{lost or ' No source is set.'}"
    unkept = " They could not be kept in the library." if len(asked) < len(statuses) else ""
    return f"{papers} from {_listed([s.name for s in asked if s.state == 'ok'])}.{lost}{unkept}"


def _state_line(status: SourceStatus) -> str:
    return _counted(status.n_papers) if status.state == "ok" else status.message


def _counted(n_papers: int) -> str:
    return "1 paper" if n_papers == 1 else f"{n_papers} papers"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
