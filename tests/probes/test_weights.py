import builtins
import logging

import numpy as np
import pytest
import torch
from torch import nn

from copilot.probes.prober import run_probes
from copilot.probes.weights import WeightSpectra, _spread
from tests.probes.made import examined, probed, split


@pytest.fixture(scope="module")
def split_pair():
    return split(40, 2, 0.9, 0.9), split(40, 2, 0.9, 0.9)


def network(heavy: bool) -> nn.Module:
    """Two square layers: independent weights, or singular values with a tail like that of a power law of alpha 1.5."""
    rng = np.random.default_rng(0)
    module = nn.Sequential(nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 100))
    for layer in (module[0], module[2]):
        values = rng.normal(0, 0.1, (100, 100))
        if heavy:
            u, _, v = np.linalg.svd(values)
            values = (u * np.sqrt((np.arange(1, 101) / 100.0) ** (-1 / 0.5))) @ v
        layer.weight.data = torch.from_numpy(values).float()
    return module


def test_heavy_tails_are_low_severity_and_light_ones_pass(split_pair):
    heavy = probed(WeightSpectra(), examined(*split_pair, module=network(True))).outcome
    light = probed(WeightSpectra(), examined(*split_pair, module=network(False))).outcome
    assert (heavy.state, heavy.severity) == ("issue", "low")
    assert heavy.value("lowest_alpha") == pytest.approx(1.5, abs=0.2)
    assert heavy.value("over_trained_layers") == 2
    assert heavy.confidence <= 0.5
    assert "Weak evidence" in heavy.summary
    assert light.state == "passed"
    assert light.value("mean_alpha") > 2


def test_it_is_quiet_and_leaves_the_model_and_the_folder_alone(split_pair, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = network(False)
    before, handlers = [p.clone() for p in module.parameters()], list(logging.getLogger().handlers)
    probed(WeightSpectra(), examined(*split_pair, module=module))
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    assert logging.getLogger().handlers == handlers


def test_small_models_are_not_applicable(split_pair):
    for module in (nn.Sequential(nn.Linear(4, 2)), nn.ReLU()):
        assert probed(WeightSpectra(), examined(*split_pair, module=module)).outcome.state == "not_applicable"


def test_without_a_module_or_the_package(split_pair, monkeypatch):
    assert run_probes(examined(*split_pair), [WeightSpectra()])[0].outcome.state == "not_applicable"
    real = builtins.__import__

    def refused(name, *rest):
        if name == "weightwatcher":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refused)
    found = probed(WeightSpectra(), examined(*split_pair, module=network(False))).outcome
    assert found.state == "skipped"
    assert "weights" in found.summary


def test_what_weightwatcher_cannot_read_is_skipped_with_the_reason(split_pair):
    found = probed(WeightSpectra(), examined(*split_pair, module="no module at all")).outcome
    assert found.state == "skipped"
    assert "could not read" in found.summary


def test_layers_are_chosen_from_first_to_last():
    assert list(_spread(np.arange(100), 3)) == [0, 50, 99]
    assert list(_spread(np.arange(2), 30)) == [0, 1]
    assert list(_spread(np.arange(0), 30)) == []
