"""The statistical probes on real networks whose answer is known."""

import numpy as np
import pytest
import torch

from benchmarks._small_nets import cifar10, fit, mnist, shifts
from copilot.probes.base import Examined, Sample
from copilot.probes.calibration import Calibration
from copilot.probes.class_gap import ClassGap
from copilot.probes.memorisation import Memorisation
from copilot.probes.prober import run_probes

PROBES = (ClassGap, Calibration, Memorisation)


def judged(pictures, net):
    splits = (
        Sample(images, labels, ("",) * len(labels), net.predict(images), len(labels))
        for images, labels in (
            (pictures.train_images, pictures.train_labels),
            (pictures.val_images, pictures.val_labels),
        )
    )
    of = Examined(*splits, pictures.class_names, net.predict, module=net.module)
    return {found.outcome.code: found for found in run_probes(of, [probe() for probe in PROBES])}


@pytest.fixture(scope="module", autouse=True)
def one_core():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_network_trained_too_long_on_few_photographs(shared_data):
    pictures = cifar10(train=120, val=200)
    found = judged(pictures, fit(pictures.train_images, pictures.train_labels, epochs=40))
    assert found["OVF301"].outcome.state == found["OVF303"].outcome.state == "issue"
    assert found["OVF303"].outcome.severity == "high"
    calibration = found["OVF302"].outcome
    assert calibration.value("val_overconfidence") > calibration.value("train_overconfidence") + 0.1
    assert [p.finding_code for f in found.values() for p in f.pictures] == ["OVF302", "OVF303"]


def test_a_healthy_network_of_digits(shared_data):
    pictures = mnist(train=1500, val=400)
    net = fit(pictures.train_images, pictures.train_labels, epochs=5, width=8, change=shifts)
    found = judged(pictures, net)
    assert net.accuracy(pictures.val_images, pictures.val_labels) > 0.7
    assert {f.outcome.state for f in found.values()} == {"passed"}
    auc = found["OVF303"].outcome.evidence[0]
    assert auc.low < 0.5 + 0.02


def test_training_is_the_same_by_seed_and_leaves_the_random_state_alone(shared_data):
    pictures = mnist(train=64, val=16)
    state = torch.random.get_rng_state()
    first, again, other = (fit(pictures.train_images, pictures.train_labels, epochs=1, seed=s) for s in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), state)
    said = [net.predict(pictures.val_images) for net in (first, again, other)]
    assert np.array_equal(said[0], said[1])
    assert not np.array_equal(said[0], said[2])
