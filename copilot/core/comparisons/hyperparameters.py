"""OVF203: which hyperparameters go with the gap between training and validation."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy
from pydantic import Field

from copilot.core.checks.base import Thresholds, confidence_from
from copilot.core.comparisons.base import BaseComparison, Measured, RunGroup, counted, listed, say_p
from copilot.core.comparisons.folds import fold_numbers
from copilot.core.comparisons.params import as_number, configuration, is_held_out_size, is_identifier, is_size
from copilot.core.findings import Evidence, Outcome
from copilot.utils.validators import clean_text

MAX_PARAMETERS = 300  # of the most often logged; more are not looked at
MAX_LEVELS = 20
MAX_SHOWN = 5
MOSTLY = 0.9  # share of values that must be numbers for a parameter to be one


class AssociationThresholds(Thresholds):
    """Effects run from 0 to 1; sizes are points of a score from 0 to 1, or shares of the typical loss."""

    min_runs: int = Field(10, ge=6, description="Configurations with a gap below which nothing is said.")
    min_level: int = Field(3, ge=2, description="Runs that a value of a word-like parameter needs to count.")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="False discovery rate.")
    effect: float = Field(0.4, gt=0, lt=1, description="Rank correlation (or its like for words) that counts.")
    change_score: float = Field(0.03, gt=0, lt=1, description="Difference of the score gap that counts.")
    change_loss: float = Field(
        0.15, gt=0, description="Difference of the loss gap that counts, as a share of the loss."
    )


@dataclass
class _Parameter:
    """One parameter over the units that have it. `names` change together and cannot be told apart."""

    names: list[str]
    units: np.ndarray
    values: np.ndarray  # numbers, or codes of words
    numeric: bool
    words: list[str] = field(default_factory=list)
    effect: float = 0.0
    p: float = 1.0
    change: float = 0.0
    high: str = ""  # where the gap is wide
    low: str = ""


class HyperparameterAssociation(BaseComparison):
    """Hyperparameters that go with a wider gap across the runs of an experiment.

    Numbers by Spearman's rank correlation with the final gap, so that a scale from 1e-5 to 1e-1 needs no logarithm;
    words by the test of Kruskal and Wallis. Folds of one configuration count as one run. Parameters that only identify
    a run (seeds, names, paths, ids) are left out, those that always change together are tested once, and the p-values
    of all are corrected for their number.

    Why it matters: an experiment of fifty runs already holds the answer to which knob to turn against overfitting.

    Source: C. Spearman, 1904; W. Kruskal and W. Wallis, JASA 47, 1952, with the effect size eta squared of
    M. Tomczak and E. Tomczak, 2014; false discovery rate by Y. Benjamini and Y. Hochberg, JRSS B 57, 1995.

    When it is wrong: association is no cause. A search that narrows in on good settings, or two parameters that mostly
    change together, make one look like the other. A parameter whose best value lies in the middle has no rank
    correlation. Interactions are not looked for.
    """

    code = "OVF203"
    title = "Hyperparameters that go with the gap"
    Thresholds = AssociationThresholds

    def compare(self, group: RunGroup) -> Outcome:
        t, measured = self.thresholds, group.measured
        if measured is None or not np.isfinite(measured.gap_end).any():
            return self.outcome("not_applicable", "No run logged one quantity on training and validation.")
        units = _units(group, measured)
        gaps = np.array([measured.gap_end[own].mean() for own in units])
        if len(units) < t.min_runs:
            return self.outcome(
                "not_applicable",
                f"It takes {t.min_runs} configurations with a gap to see what goes with it; there {_are(len(units))}.",
            )
        tested = [p for p in self._parameters(group, units) if self._test(p, gaps)]
        if not tested:
            return self.outcome("not_applicable", "The runs do not differ in any parameter that is more than a name.")
        for parameter, p in zip(tested, scipy.stats.false_discovery_control([p.p for p in tested]), strict=True):
            parameter.p = float(p)
        tested.sort(key=lambda p: (p.p > t.alpha, -abs(p.effect)))
        enough = measured.size(t.change_score, t.change_loss, float(np.nanmedian(measured.best)))
        found = [p for p in tested if p.p <= t.alpha and abs(p.effect) >= t.effect and p.change >= enough]
        return self._judge(measured, tested, found, len(units), enough)

    def _parameters(self, group: RunGroup, units: Sequence[list[int]]) -> list[_Parameter]:
        """Parameters worth a test; those that order the runs alike, or split them alike by words, are one."""
        params = [group.members[own[0]].params for own in units]
        logged = Counter(name for own in params for name in own)
        least, together = self.thresholds.min_runs, {}
        for name, times in logged.most_common(MAX_PARAMETERS):
            if times >= least and not is_identifier(name) and not is_held_out_size(name):
                made = self._read(name, [(i, own[name]) for i, own in enumerate(params) if name in own])
                if made is not None:
                    known = together.setdefault(_pattern(made), made)
                    known.names.extend([] if known is made else made.names)
        return list(together.values())

    def _read(self, name: str, entries: Sequence[tuple[int, object]]) -> _Parameter | None:
        numbers = [as_number(value) for _, value in entries]
        units = np.array([i for i, _ in entries])
        shown = clean_text(name, 60)
        known = np.array([n is not None for n in numbers])
        if known.mean() >= MOSTLY and len({n for n in numbers if n is not None}) > 2:
            values = np.array([n for n in numbers if n is not None], dtype=float)
            return _Parameter([shown], units[known], values, True) if len(values) >= self.thresholds.min_runs else None
        texts = [str(value)[:500] if n is None else f"{n:.6g}" for n, (_, value) in zip(numbers, entries, strict=True)]
        levels = [w for w, n in Counter(texts).most_common(MAX_LEVELS) if n >= self.thresholds.min_level]
        if len(levels) < 2:
            return None
        code = {word: i for i, word in enumerate(levels)}
        kept = np.array([w in code for w in texts])
        codes = np.array([code[w] for w in texts if w in code])
        return _Parameter([shown], units[kept], codes, False, [clean_text(w, 40) for w in levels])

    def _test(self, parameter: _Parameter, gaps: np.ndarray) -> bool:
        """Measure effect, p-value and how far the gap changes; False where there is nothing to test."""
        y = gaps[parameter.units]
        if len(y) < self.thresholds.min_runs or np.ptp(y) == 0:
            return False
        if parameter.numeric:
            result = scipy.stats.spearmanr(parameter.values, y)
            parameter.effect, parameter.p = float(result.statistic), float(result.pvalue)
            ends = np.quantile(parameter.values, [1 / 3, 2 / 3])
            below, above = (np.median(y[m]) for m in (parameter.values <= ends[0], parameter.values >= ends[1]))
            parameter.change = float(above - below) * (1 if parameter.effect > 0 else -1)
            parameter.high, parameter.low = ("large", "small") if parameter.effect > 0 else ("small", "large")
            return True
        parts = [y[parameter.values == c] for c in range(len(parameter.words))]
        h, p = scipy.stats.kruskal(*parts)
        share = (h - len(parts) + 1) / (len(y) - len(parts))  # eta squared of the ranks
        middles = np.array([np.median(part) for part in parts])
        parameter.effect, parameter.p, parameter.change = (
            float(np.sqrt(max(share, 0.0))),
            float(p),
            float(np.ptp(middles)),
        )
        parameter.high, parameter.low = parameter.words[int(middles.argmax())], parameter.words[int(middles.argmin())]
        return True

    def _judge(
        self, measured: Measured, tested: list[_Parameter], found: list[_Parameter], runs: int, enough: float
    ) -> Outcome:
        evidence = [e for p in (found or tested)[:MAX_SHOWN] for e in self._evidence(measured, p)]
        evidence += [
            self.fact("configurations", runs, "configurations"),
            self.fact("parameters_tested", len(tested), "parameters"),
        ]
        if not found:
            looked = f"None of {counted(len(tested), 'parameter')} goes with the {measured.quantity} gap"
            text = f"{looked} over {runs} configurations, beyond chance and by an amount that matters."
            return self.outcome("passed", text, confidence=0.5, evidence=evidence)
        text = f"Over {runs} configurations, {_say(measured, found[0])}"
        if len(found) > 1:
            text += f" So do {listed([p.names[0] for p in found[1:]])}."
        severity = "medium" if found[0].change >= 2 * enough else "low"
        confidence = confidence_from(0.25 * np.log(self.thresholds.alpha / max(found[0].p, 1e-12)))
        return self.outcome("issue", text, severity=severity, confidence=confidence, evidence=evidence)

    def _evidence(self, measured: Measured, p: _Parameter) -> list[Evidence]:
        source = " = ".join(p.names[:3])
        name = "rank_correlation" if p.numeric else "rank_effect"
        unit, q = measured.unit, measured.quantity
        return [
            self.fact(name, p.effect, source=source, quantity=q),
            self.fact("corrected_p", p.p, source=source, quantity=q),
            self.fact("gap_difference", p.change, unit, source=source, quantity=q),
        ]


def _are(n: int) -> str:
    return f"{'is' if n == 1 else 'are'} {n}"


def _say(measured: Measured, p: _Parameter) -> str:
    name = p.names[0] if len(p.names) == 1 else f"{p.names[0]} (changed together with {listed(p.names[1:])})"
    how = f"rank correlation {p.effect:.2f}" if p.numeric else f"rank effect {p.effect:.2f}"
    sides = f"{p.high} values than for {p.low} ones" if p.numeric else f"{p.high} than for {p.low}"
    return (
        f"{name} goes with the {measured.quantity} gap: it is {measured.amount(p.change)} wider for {sides} "
        f"({how}, corrected {say_p(p.p)})."
    )


def _units(group: RunGroup, measured: Measured) -> list[list[int]]:
    """Members with a gap; the folds of one configuration are one unit, for they are not independent."""
    folds = fold_numbers(group)
    units: dict[object, list[int]] = defaultdict(list)
    for i in np.flatnonzero(np.isfinite(measured.gap_end)):
        member = group.members[i]
        key = (member.parent_run_id, configuration(member.params, is_size)) if int(i) in folds else int(i)
        units[key].append(int(i))
    return list(units.values())


def _pattern(parameter: _Parameter) -> tuple:
    """What parameters that always change together share: the order of their numbers, either way, or their partition.

    Numbers that all differ split the runs in one way only, whatever they are, so that a partition would not do.
    """
    _, codes = np.unique(parameter.values, return_inverse=True)
    if parameter.numeric:
        shape = min(tuple(codes.tolist()), tuple((codes.max() - codes).tolist()))
    else:
        shape = tuple(_first_seen(codes).tolist())
    return parameter.numeric, parameter.units.tobytes(), shape


def _first_seen(codes: np.ndarray) -> np.ndarray:
    """Codes renumbered by first appearance, so that two labellings of one partition are equal."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]
