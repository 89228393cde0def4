"""Images a second of the probes that ask about changed images, beside the bare model on the same batches.

    PYTHONPATH=. .venv/bin/python benchmarks/probe_speed.py [--threads 1]

A probe's rate counts every image that it asks the model about against its whole time, from reading the sample to the
evidence and pictures. The bare rate is that of the model alone on the batches that the probe sent, in the same order
and with the same number of threads, measured right after it. Networks are untrained (speed does not depend on it),
their biases set so that each class is predicted now and then. Images are CIFAR-10's, enlarged for the second network.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from torchvision.models import resnet18

from benchmarks._small_nets import SmallCNN, cifar10
from copilot.probes.attribution import Attribution
from copilot.probes.base import BaseProbe, Examined, Sample
from copilot.probes.robustness import Robustness

WANTED = 0.6


class Counted:
    """A model that keeps the shapes of the batches it is asked about."""

    def __init__(self, module: torch.nn.Module, device: str) -> None:
        self.module, self.device = module.eval().to(device), device
        self.batches: list[np.ndarray] = []

    def logits(self, images: np.ndarray) -> torch.Tensor:
        x = torch.from_numpy(np.ascontiguousarray(images)).to(self.device).permute(0, 3, 1, 2).float().div_(255)
        with torch.inference_mode():
            return self.module(x)

    def predict(self, images: np.ndarray) -> np.ndarray:
        self.batches.append(images)
        return self.logits(images).softmax(1).double().cpu().numpy()

    def bare(self) -> float:
        """Seconds for the same batches again, and nothing else."""
        began = time.perf_counter()
        for images in self.batches:
            self.logits(images).softmax(1).double().cpu().numpy()
        return time.perf_counter() - began


def networks() -> dict[str, tuple[Callable[[], torch.nn.Module], int, int]]:
    """How to make each network, the side of its images, and how many of them a probe gets."""
    torch.manual_seed(0)
    return {
        "small CNN, 32 x 32": (lambda: SmallCNN(width=16), 32, 300),
        "ResNet-18, 64 x 64": (lambda: resnet18(weights=None, num_classes=10), 64, 30),
    }


def measured(model: Counted, probe: BaseProbe, examined: Examined) -> tuple[int, float, float, str]:
    """Images, seconds of the probe and seconds of the bare model, and the probe's verdict."""
    model.batches.clear()
    began = time.perf_counter()
    outcome = probe.probe(examined, lambda share, line: None).outcome
    took = time.perf_counter() - began
    return sum(len(images) for images in model.batches), took, model.bare(), outcome.state


def _examined(model: Counted, side: int, n: int) -> Examined:
    pictures = cifar10(n, n, seed=0)
    samples = []
    for images in (pictures.train_images, pictures.val_images):
        images = np.stack([cv2.resize(image, (side, side)) for image in images])
        if not samples:  # each class is predicted now and then
            list(model.module.modules())[-1].bias.data -= model.logits(images).mean(0)
        probabilities = model.predict(images)
        samples.append(Sample(images, probabilities.argmax(1), ("",) * n, probabilities, n))
    return Examined(*samples, pictures.class_names, predict=model.predict)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="of the model on the CPU, in both measurements")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    devices, slowest = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])], np.inf
    print(f"{'network':22} {'device':6} {'probe':12} {'images':>7} {'probe /s':>9} {'bare /s':>9} {'share':>6} verdict")
    for device in devices:
        for name, (make, side, n) in networks().items():
            model = Counted(make(), device)
            examined = _examined(model, side, n)
            for probe in (Robustness(), Attribution(Attribution.Thresholds(max_images=max(n // 3, 10)))):
                images, took, bare, state = measured(model, probe, examined)
                slowest = min(slowest, bare / took)
                print(
                    f"{name:22} {device:6} {probe.name:12} {images:7} {images / took:9.0f} {images / bare:9.0f} "
                    f"{bare / took:6.0%} {state}",
                    flush=True,
                )
    print(f"slowest share {slowest:.0%} (wanted: {WANTED:.0%}), {options.threads} thread(s)")
    return 0 if slowest >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
