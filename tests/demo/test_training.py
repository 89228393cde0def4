from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from copilot.demo.conditions import FOLD_PLANS, PLANS
from copilot.demo.data import IMAGE_SIZE, UPSCALE, data_states
from copilot.demo.training import METRICS, SmallCnn, as_tensors, train, train_runs


def plan(condition: str, **changes):
    return replace(next(p for p in PLANS if p.condition == condition), **changes)


@pytest.fixture(scope="module")
def states():
    return data_states(0)


def test_curves_have_a_value_per_epoch_and_come_back_with_the_seed(states):
    short = plan("too little data", epochs=3)
    first, second = (train(short, states["v2"], 0) for _ in range(2))
    assert set(first.curves) == set(METRICS)
    assert all(len(values) == 3 for values in first.curves.values())
    assert first.curves == second.curves
    assert len(first.train) == short.n_train
    assert first.started_ms <= first.times_ms[0] <= first.times_ms[-1]


def test_a_healthy_run_learns(states):
    run = train(plan("healthy", epochs=5), states["v2"], 0)
    assert run.curves["val_accuracy"][-1] > 0.7
    assert not run.model.training


def test_too_little_data_leaves_a_gap(states):
    curves = train(plan("too little data"), states["v2"], 0).curves
    assert curves["train_accuracy"][-1] - curves["val_accuracy"][-1] > 0.15


def test_a_too_high_learning_rate_ends_in_no_number(states):
    wild = next(p for p in PLANS if p.condition == "too high learning rate" and not p.grad_clip)
    assert np.isnan(train(replace(wild, epochs=10), states["v2"], 0).curves["val_loss"][-1])


def test_too_small_a_model_stays_far_below(states):
    curves = train(plan("too small a model", epochs=10), states["v2"], 0).curves
    assert max(curves["train_accuracy"]) < 0.65


def test_progress_rises_and_names_the_run(states):
    told = []
    plans = [plan("too little data", epochs=2), replace(FOLD_PLANS[0], epochs=1)]
    runs = list(train_runs(0, plans, states=states, progress=lambda done, line: told.append((done, line))))
    assert [run.plan.name for run in runs] == [p.name for p in plans]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == pytest.approx(1.0)
    assert told[0][1].startswith(plans[0].name)


def test_torch_threads_are_put_back(states):
    before = torch.get_num_threads()
    list(train_runs(0, [plan("too little data", epochs=1)], states=states))
    assert torch.get_num_threads() == before


def test_an_upscaled_image_is_the_trained_image(states):
    small, _ = as_tensors(states["v1"].val)
    large = small.repeat_interleave(UPSCALE, 2).repeat_interleave(UPSCALE, 3)
    assert large.shape[2:] == (IMAGE_SIZE, IMAGE_SIZE)
    model = SmallCnn(4, 8, 0.0).eval()
    assert torch.allclose(model(large), model.layers(small), atol=1e-5)


def test_names_and_seeds_are_unique():
    plans = PLANS + FOLD_PLANS
    assert len({p.name for p in plans}) == len({p.seed for p in plans}) == len(plans)
