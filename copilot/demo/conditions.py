"""The demo's runs: how each is trained, and what a right diagnosis of it says. Only `RunPlan.params` reaches MLflow."""

from __future__ import annotations

from dataclasses import dataclass, replace

N_FOLDS = 5
OVERFITTING, HEALTHY = ("overfitting",), ("healthy",)


@dataclass(frozen=True)
class RunPlan:
    """One training run.

    Attributes
    ----------
    name : str
        Run name; says nothing of the condition.
    condition : str
        What is wrong with the run on purpose. Goes to the answer key only.
    expected : tuple of str
        Verdicts that are right for it.
    data : str
        State of the images (a tag or branch of the data repository).
    n_train : int or None
        Training images; None takes all.
    lr_schedule : str
        ``constant`` or ``cosine`` (down to 0 at the last epoch).
    grad_clip : float
        Largest gradient norm; 0 means no clipping.
    fold : int
        Fold of a cross-validation, from 1; 0 means the data's own split.
    seed : int
        Added to the demo's seed.
    """

    name: str
    condition: str
    expected: tuple[str, ...]
    data: str = "v2"
    n_train: int | None = None
    optimizer: str = "adam"
    lr: float = 0.002
    lr_schedule: str = "constant"
    batch_size: int = 64
    epochs: int = 15
    width: int = 16
    hidden: int = 64
    dropout: float = 0.4
    weight_decay: float = 0.0
    grad_clip: float = 0.0
    fold: int = 0
    seed: int = 0

    def params(self) -> dict[str, str | int | float]:
        """What a training script would log of itself."""
        logged = {k: getattr(self, k) for k in _LOGGED}
        return logged | ({"fold": self.fold, "n_folds": N_FOLDS} if self.fold else {})


_LOGGED = (
    "optimizer",
    "lr",
    "lr_schedule",
    "batch_size",
    "epochs",
    "width",
    "hidden",
    "dropout",
    "weight_decay",
    "grad_clip",
)

PLANS: tuple[RunPlan, ...] = (
    RunPlan("cnn-01", "healthy", HEALTHY, data="v1", lr=0.0015, seed=1),
    RunPlan("cnn-02", "over-long training", OVERFITTING, dropout=0.0, epochs=60, seed=2),
    RunPlan(
        "cnn-03",
        "too small a model",
        ("underfitting",),
        width=1,
        hidden=2,
        dropout=0.0,
        lr=0.02,
        lr_schedule="cosine",
        epochs=40,
        seed=3,
    ),
    RunPlan("cnn-04", "too little data", OVERFITTING, n_train=100, batch_size=20, dropout=0.0, epochs=50, seed=4),
    RunPlan("cnn-05", "healthy", HEALTHY, lr=0.0015, seed=5),
    RunPlan(
        "cnn-06",
        "too high learning rate",
        ("unstable",),
        optimizer="sgd",
        lr=0.4,
        dropout=0.0,
        grad_clip=5.0,
        epochs=20,
        seed=6,
    ),
    RunPlan("cnn-07", "label noise", OVERFITTING, data="batch-3", dropout=0.0, lr=0.003, epochs=30, seed=7),
    RunPlan("cnn-08", "leaked validation images", HEALTHY, data="batch-5", lr=0.0015, seed=8),
    RunPlan(
        "cnn-09", "too little data", OVERFITTING, data="v1", n_train=80, batch_size=16, dropout=0.1, epochs=50, seed=9
    ),
    RunPlan("cnn-10", "shifted validation set", ("overfitting", "inconclusive"), data="batch-4", lr=0.0015, seed=10),
    RunPlan(
        "cnn-11", "too high learning rate", ("unstable",), optimizer="sgd", lr=0.3, dropout=0.2, epochs=20, seed=11
    ),
    RunPlan("cnn-12", "healthy", HEALTHY, width=20, lr_schedule="cosine", batch_size=48, seed=12),
    RunPlan(
        "cnn-13", "over-long training", OVERFITTING, data="v1", width=20, dropout=0.0, batch_size=48, epochs=60, seed=13
    ),
)

FOLD_PARENT = "cnn-14"
FOLD_PLANS: tuple[RunPlan, ...] = tuple(
    replace(PLANS[0], name=f"{FOLD_PARENT}-fold-{k}", condition="k-fold", data="v2", fold=k, seed=13 + k)
    for k in range(1, N_FOLDS + 1)
)
