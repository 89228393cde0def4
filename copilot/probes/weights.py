"""OVF308: the tails of the spectra of a model's weight matrices, by WeightWatcher."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from copilot.core.checks.base import Thresholds
from copilot.core.findings import Evidence, Outcome
from copilot.probes.base import BaseProbe, Examined, Probed, Progress
from copilot.probes.samples import number
from copilot.utils.validators import clean_text

_MISSING = "WeightWatcher is not installed: pip install 'mlops-copilot[weights]'."
_WEAK = 0.3  # confidence, whatever comes out: alpha has not been shown to tell overfitting of one model


class WeightThresholds(Thresholds):
    """Exponents alpha are those of a power law fitted to the tail of a layer's eigenvalues."""

    over_trained: float = Field(2.0, gt=1, description="A layer with an alpha below this is over-trained.")
    under_trained: float = Field(6.0, gt=2, description="A layer with an alpha above this is under-trained.")
    share: float = Field(0.25, gt=0, le=1, description="Share of over-trained layers that counts.")
    eigenvalues: int = Field(50, ge=10, description="Eigenvalues of a layer below which no power law is fitted.")
    largest: int = Field(2048, ge=64, description="Shorter side of a layer's matrix above which it is left out.")
    layers: int = Field(30, ge=2, description="Layers that are looked at, evenly chosen from first to last.")


@dataclass(frozen=True)
class _Fits:
    """Alpha of each layer that was looked at, shape (k,), and how many layers the model has."""

    alphas: np.ndarray
    names: list[str]
    total: int


class WeightSpectra(BaseProbe):
    """Some layers have weight spectra with tails as heavy as over-training leaves them.

    WeightWatcher fits a power law to the largest eigenvalues of each layer's correlation matrix. An exponent alpha
    from 2 to 6 is usual for trained layers; below `over_trained` the layer is called over-trained, above
    `under_trained` under-trained. Layers
    with few eigenvalues and very large ones are left out. An issue is a share of over-trained layers from `share` on,
    and never of more than low severity.

    Why it matters: It needs no images, only weights, so that it can speak of a model whose data is gone. It is weak
    evidence: it was found on large published models, not on small ones, and says nothing about how the model does on
    any image. Trust the other probes more.

    Source: C. H. Martin and M. W. Mahoney, Implicit Self-Regularization in Deep Neural Networks, JMLR 22, 2021,
    arXiv:1810.01075; C. H. Martin, T. Peng and M. W. Mahoney, Predicting Trends in the Quality of State-of-the-Art
    Neural Networks without Access to Training or Testing Data, Nature Communications 12, 2021, arXiv:2002.06716; the
    limits 2 and 6 are theirs, the share is this project's own.

    When it is wrong: Layers with fewer than some hundred eigenvalues have an alpha with a wide error. Large batches,
    strong weight decay and a rank collapse after bad initialisation move alpha without any over-training. Quantised
    and pruned weights have other spectra. A model can overfit with every alpha between 2 and 6.
    """

    code = "OVF308"
    title = "Weight spectra"
    name = "weights"
    needs = "module"
    aliases: ClassVar[dict[str, str]] = {}
    Thresholds = WeightThresholds

    def probe(self, examined: Examined, progress: Progress) -> Probed:
        progress(0.1, "spectra of the layers")
        try:
            fits = _fits(examined.module, self.thresholds)
        except ImportError:
            return Probed(self.outcome("skipped", _MISSING))
        except Exception as error:  # its own exceptions are many, and it follows torch's versions late
            why = clean_text(f"WeightWatcher could not read this model: {type(error).__name__}: {error}", 300)
            return Probed(self.outcome("skipped", why))
        if len(fits.alphas) < 2:
            least = self.thresholds.eigenvalues
            why = f"Only {len(fits.alphas)} of {fits.total} layers have {least} eigenvalues or more and a fit: too few."
            return Probed(self.outcome("not_applicable", why))
        return Probed(self._judged(fits))

    def _judged(self, fits: _Fits) -> Outcome:
        t, n = self.thresholds, len(fits.alphas)
        over, under = fits.alphas < t.over_trained, fits.alphas > t.under_trained
        issue = bool(over.mean() >= t.share)
        text = (
            f"{int(over.sum())} of {n} layers have an alpha below {t.over_trained:g} (over-trained), "
            f"{int(under.sum())} above {t.under_trained:g} (under-trained); the mean is {fits.alphas.mean():.2f}. "
            "Weak evidence either way: no image was looked at."
        )
        if issue:
            lowest = int(fits.alphas.argmin())
            text += f" Lowest in {fits.names[lowest]} ({fits.alphas[lowest]:.2f})."
        return self.outcome(
            "issue" if issue else "passed",
            text,
            severity="low" if issue else "none",
            confidence=_WEAK,
            evidence=[
                _counted("over_trained_layers", over, f"alpha below {t.over_trained:g}"),
                _counted("under_trained_layers", under, f"alpha above {t.under_trained:g}"),
                number(self.name, "layers_fitted", n, "layers"),
                number(self.name, "layers", fits.total, "layers"),
                number(self.name, "mean_alpha", float(fits.alphas.mean())),
                number(self.name, "lowest_alpha", float(fits.alphas.min())),
            ],
        )


def _counted(name: str, layers: np.ndarray, limit: str) -> Evidence:
    return Evidence(name=name, value=int(layers.sum()), unit="layers", source=limit)


def _fits(module: Any, thresholds: WeightThresholds) -> _Fits:
    """The power laws of the layers that are neither too small nor too large.

    Raises
    ------
    ImportError
        WeightWatcher is not installed.
    """
    with _quiet():
        import weightwatcher

        watcher = weightwatcher.WeightWatcher(model=module, log_level=logging.CRITICAL)
        about = watcher.describe()
        if not len(about):
            return _Fits(np.zeros(0), [], 0)
        fits = about["num_evals"].to_numpy() >= thresholds.eigenvalues
        fits &= np.minimum(about["M"], about["N"]).to_numpy() <= thresholds.largest
        chosen = _spread(about["layer_id"].to_numpy()[fits], thresholds.layers)
        if not len(chosen):
            return _Fits(np.zeros(0), [], len(about))
        found = watcher.analyze(layers=[int(i) for i in chosen], plot=False, randomize=False)
    alphas = found["alpha"].to_numpy(dtype=float)
    good = np.isfinite(alphas) & (alphas > 0)
    names = [clean_text(name, 60) for name in found["longname"][good]]
    return _Fits(alphas[good], names, len(about))


def _spread(ids: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the ids, evenly from first to last."""
    return ids[np.unique(np.linspace(0, len(ids) - 1, min(most, len(ids))).round().astype(int))] if len(ids) else ids


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No prints and no warnings, and the root logger as it was: WeightWatcher sets it up when imported."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
