"""Train the demo's small CNNs. Importing this file loads torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from copilot.demo.conditions import FOLD_PLANS, N_FOLDS, PLANS, RunPlan
from copilot.demo.data import UPSCALE, DataState, ImageSet, data_states, fold, subset

METRICS = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")


class SmallCnn(nn.Module):
    """A small CNN for grey images.

    Input: float32 of shape (n, 1, 32, 32), pixel values from 0 to 1 (PNG value / 255), no other normalisation.
    Output: logits of shape (n, 10), one per class in the order of the class folders' names.
    """

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.shrink = nn.AvgPool2d(UPSCALE)
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(2 * width * 16, hidden),
            nn.LeakyReLU(0.1),
            nn.Dropout(dropout),
            nn.Linear(hidden, 10),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(self.shrink(images))


@dataclass(frozen=True)
class TrainedRun:
    """A finished run.

    Attributes
    ----------
    curves : dict of str to list of float
        The four `METRICS`, one value per epoch; training values are means over the epoch's batches.
    started_ms, times_ms : int, list of int
        Unix time of the start and of the end of each epoch, in milliseconds.
    """

    plan: RunPlan
    seed: int
    model: SmallCnn
    train: ImageSet
    val: ImageSet
    curves: dict[str, list[float]]
    started_ms: int
    times_ms: list[int]


def train_runs(
    seed: int = 0,
    plans: Sequence[RunPlan] = PLANS + FOLD_PLANS,
    *,
    states: dict[str, DataState] | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> Iterator[TrainedRun]:
    """Train `plans` one after the other and yield each when it is done.

    Parameters
    ----------
    seed : int, default 0
        Same seed, same curves on the same machine.
    plans : sequence of RunPlan
        Default: every run of the demo.
    states : dict of str to DataState, optional
        The images by state; default: made from `seed`.
    progress : callable, optional
        Called after each epoch with the fraction of work done and a short line.
    """
    states = data_states(seed) if states is None else states
    steps = [_steps(plan, states) for plan in plans]
    done = 0.0
    with one_thread():
        for plan, own in zip(plans, steps, strict=True):

            def report(epoch: int, plan: RunPlan = plan, start: float = done, own: float = own) -> None:
                if progress is not None:
                    progress(
                        (start + own * epoch / plan.epochs) / sum(steps), f"{plan.name}: epoch {epoch} of {plan.epochs}"
                    )

            yield train(plan, states[plan.data], seed, report)
            done += own


def train(plan: RunPlan, state: DataState, seed: int, on_epoch: Callable[[int], None] = lambda _: None) -> TrainedRun:
    """Train one run on the images of `state`; `on_epoch` is told each finished epoch, from 1."""
    run_seed = 1000 * seed + plan.seed
    train_set, val_set = images_of(plan, state, seed)
    torch.manual_seed(run_seed)
    model = SmallCnn(plan.width, plan.hidden, plan.dropout)
    optimizer = _optimizer(plan, model)
    schedule = _schedule(plan, optimizer)
    train_data, val_data = as_tensors(train_set), as_tensors(val_set)
    curves: dict[str, list[float]] = {name: [] for name in METRICS}
    started_ms, times_ms = _now_ms(), []
    for epoch in range(1, plan.epochs + 1):
        train_loss, train_accuracy = _train_epoch(model, optimizer, *train_data, plan)
        schedule.step()
        val_loss, val_accuracy = _evaluate(model, *val_data)
        for name, value in zip(METRICS, (train_loss, val_loss, train_accuracy, val_accuracy), strict=True):
            curves[name].append(value)
        times_ms.append(_now_ms())
        on_epoch(epoch)
    return TrainedRun(plan, run_seed, model.eval(), train_set, val_set, curves, started_ms, times_ms)


def images_of(plan: RunPlan, state: DataState, seed: int) -> tuple[ImageSet, ImageSet]:
    """The training and validation images of a run."""
    if plan.fold:
        return fold(state.train, plan.fold, N_FOLDS, np.random.default_rng([seed, 5]))
    if plan.n_train is None:
        return state.train, state.val
    return subset(state.train, plan.n_train, np.random.default_rng([seed, plan.seed])), state.val


def as_tensors(images: ImageSet) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels from 0 to 1, shape (n, 1, 8, 8), and labels. Averaging the upscaled PNG gives these same pixels."""
    return torch.from_numpy(images.images).float().unsqueeze(1) / 255, torch.from_numpy(images.labels)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread: for nets this small more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _now_ms() -> int:
    return int(time.time() * 1000)


def _steps(plan: RunPlan, states: dict[str, DataState]) -> float:
    images = plan.n_train or len(states[plan.data].train)
    return plan.epochs * (images / plan.batch_size + 2)


def _optimizer(plan: RunPlan, model: nn.Module) -> torch.optim.Optimizer:
    if plan.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), lr=plan.lr, momentum=0.9, weight_decay=plan.weight_decay)
    return torch.optim.Adam(model.parameters(), lr=plan.lr, weight_decay=plan.weight_decay)


def _schedule(plan: RunPlan, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    if plan.lr_schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, plan.epochs)
    return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)


def _train_epoch(
    model: SmallCnn, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor, plan: RunPlan
) -> tuple[float, float]:
    model.train()
    loss_sum = correct = 0.0
    for rows in torch.randperm(len(labels)).split(plan.batch_size):
        logits = model.layers(images[rows])
        loss = functional.cross_entropy(logits, labels[rows])
        optimizer.zero_grad()
        loss.backward()
        if plan.grad_clip:
            nn.utils.clip_grad_norm_(model.parameters(), plan.grad_clip)
        optimizer.step()
        loss_sum += loss.item() * len(rows)
        correct += (logits.argmax(1) == labels[rows]).sum().item()
    return loss_sum / len(labels), correct / len(labels)


@torch.inference_mode()
def _evaluate(model: SmallCnn, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    model.eval()
    logits = model.layers(images)
    return functional.cross_entropy(logits, labels).item(), (logits.argmax(1) == labels).float().mean().item()
