"""Memorisation (OVF303) on small networks whose answer is known: trained far too long, or healthy.

- over-trained: 500 CIFAR-10 images, 40 epochs, no augmentation
- in between: 3,000 CIFAR-10 images, 15 epochs, no augmentation; three seeds, to see what lies between the two ends
- healthy digits: 3,000 MNIST images moved by up to two pixels, 5 epochs
- healthy photographs: 5,000 CIFAR-10 images with flips and moves, 5 epochs

All are the same network (`_small_nets.SmallCNN`), ten seeds each where nothing else is said; a seed draws the images
and the weights, though photographs have but 1,000 validation images, the same for every seed. Both splits are sampled
to at most 1,000 images, as the probe's callers do. Every network's accuracies are printed, so that whoever doubts that
one is healthy can see. The last table plants wrong labels: how often the images that the probe would show as learned by
heart have one, beside the share of wrong labels among all images that the network fitted.

Run: .venv/bin/python benchmarks/memorisation.py [--seeds N]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks._small_nets import Net, Pictures, cifar10, fit, flips_and_shifts, mnist, shifts
from copilot.probes.base import Examined, Probed, Sample
from copilot.probes.memorisation import Memorisation, by_heart, to_show

MOST = 1000
WRONG = 0.1


def over_trained(seed: int) -> tuple[Pictures, Net]:
    pictures = cifar10(train=500, val=1000, seed=seed)
    return pictures, fit(pictures.train_images, pictures.train_labels, epochs=40, seed=seed)


def in_between(seed: int) -> tuple[Pictures, Net]:
    pictures = cifar10(train=3000, val=1000, seed=seed)
    return pictures, fit(pictures.train_images, pictures.train_labels, epochs=15, seed=seed)


def healthy_digits(seed: int) -> tuple[Pictures, Net]:
    pictures = mnist(train=3000, val=2000, seed=seed)
    change = shifts
    return pictures, fit(pictures.train_images, pictures.train_labels, epochs=5, seed=seed, width=8, change=change)


def healthy_photographs(seed: int) -> tuple[Pictures, Net]:
    pictures = cifar10(train=5000, val=1000, seed=seed)
    change = flips_and_shifts
    return pictures, fit(pictures.train_images, pictures.train_labels, epochs=5, seed=seed, width=12, change=change)


KINDS: dict[str, Callable[[int], tuple[Pictures, Net]]] = {
    "over-trained": over_trained,
    "in between": in_between,
    "healthy digits": healthy_digits,
    "healthy photographs": healthy_photographs,
}


def examined(pictures: Pictures, net: Net, seed: int) -> Examined:
    rng, samples = np.random.default_rng(seed), []
    for images, labels in (
        (pictures.train_images, pictures.train_labels),
        (pictures.val_images, pictures.val_labels),
    ):
        rows = np.sort(rng.permutation(len(labels))[:MOST])
        names = tuple(str(row) for row in rows)
        samples.append(Sample(images[rows], labels[rows], names, net.predict(images[rows]), len(labels)))
    return Examined(*samples, pictures.class_names, net.predict, module=net.module, seed=seed)


def probed(of: Examined) -> Probed:
    return Memorisation().probe(of, lambda fraction, line: None)


def table(kind: str, seeds: int) -> str:
    """Print a row a seed; give the line that counts them."""
    above = covers = issues = 0
    for seed in range(seeds):
        pictures, net = KINDS[kind](seed)
        outcome = probed(examined(pictures, net, seed)).outcome
        auc = outcome.evidence[0]
        above, covers = above + (auc.low > 0.5), covers + (auc.low <= 0.5 <= auc.high)
        issues += outcome.state == "issue"
        train = net.accuracy(pictures.train_images, pictures.train_labels)
        val = net.accuracy(pictures.val_images, pictures.val_labels)
        area = f"{auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f})"
        print(f"{kind:20} {seed:4}  {train:.3f} {val:.3f}  {area}  {outcome.state} {outcome.severity}", flush=True)
    return f"{kind}: interval above .5 {above}, covers .5 {covers}, issue {issues}, of {seeds}"


def wrong_labels(seed: int) -> tuple[float, float, float]:
    """Share of planted wrong labels: among fitted images, shown when the model can be asked, and from predictions."""
    pictures = cifar10(train=600, val=1000, seed=seed)
    rng = np.random.default_rng(seed)
    wrong = rng.random(600) < WRONG
    labels = np.where(wrong, (pictures.train_labels + rng.integers(1, 10, 600)) % 10, pictures.train_labels)
    net = fit(pictures.train_images, labels, epochs=80, seed=seed)
    planted = Pictures(pictures.train_images, labels, pictures.val_images, pictures.val_labels, pictures.class_names)
    of = Examined(
        Sample(planted.train_images, labels, ("",) * 600, net.predict(planted.train_images), 600),
        Sample(planted.val_images, planted.val_labels, ("",) * 1000, net.predict(planted.val_images), 1000),
        planted.class_names,
        net.predict,
    )
    blind = Examined(of.train, of.val, of.class_names)
    asked, unasked = (wrong[to_show(by_heart(each), labels)].mean() for each in (of, blind))
    return float(wrong[of.train.correct].mean()), float(asked), float(unasked)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", type=int, default=10)
    seeds = options.parse_args().seeds
    torch.set_num_threads(1)
    print(f"{'network':20} seed  train val    area with 95 % interval   outcome")
    lines = [table(kind, min(seeds, 3) if kind == "in between" else seeds) for kind in KINDS]
    print("", *lines, "", sep="\n")
    rows = [wrong_labels(seed) for seed in range(3)]
    print("wrong labels: of all fitted, shown with the model asked, shown from predictions alone")
    print(*(f"  seed {seed}: {a:.2f} {b:.2f} {c:.2f}" for seed, (a, b, c) in enumerate(rows)), sep="\n")
    print(f"\n{time.process_time():.0f} s of one core, torch {torch.__version__}")


if __name__ == "__main__":
    main()
