"""Boxes, masks and attributions in the pixels of the image itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from copilot.errors import InputError, ToolError
from copilot.integrations.models.loaded import LoadedModel
from copilot.integrations.models.spec import InputSpec

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 40, 3), dtype=np.uint8)


def detector(output, **spec):
    return LoadedModel(lambda batch: output, InputSpec(task="detection", **spec), "net")


def test_boxes_of_torchvision_count_their_background():
    parts = {
        "boxes": torch.tensor([[1.0, 2, 11, 12], [0, 0, 4, 4], [5, 5, 5, 9]]),
        "labels": torch.tensor([2, 1, 1]),
        "scores": torch.tensor([0.4, 0.9, 0.8]),
    }
    wanted = [[0, 0.9, 0, 0, 4, 4], [1, 0.4, 1, 2, 10, 10]]  # the likeliest first, none without a side
    for output in ([parts], ({}, [parts]), tuple(parts.values())):
        assert np.allclose(detector(output).detect([IMAGE])[0], wanted)
    assert detector([parts], background=False).detect([IMAGE])[0][:, 0].tolist() == [1, 2]


def test_boxes_of_yolo_come_back_from_the_letterbox():
    """40 x 20 pixels in 80 x 80: twice the size, 20 rows of grey above."""
    values = np.zeros((1, 4 + 2, 8400), np.float32)
    values[0, :, 7] = [30, 40, 20, 20, 0.1, 0.8]  # centre and sides: x 20..40, y 30..50
    values[0, :, 8] = [31, 40, 20, 20, 0.1, 0.7]  # a double
    values[0, :, 9] = [70, 50, 10, 10, 0.6, 0.0]
    found = detector(torch.from_numpy(values), height=80, width=80).detect([IMAGE])[0]
    assert np.allclose(found, [[1, 0.8, 10, 5, 10, 10], [0, 0.6, 32.5, 12.5, 5, 5]])
    with pytest.raises(InputError, match="that is 2 classes, but 3 were expected"):
        detector(torch.from_numpy(values), classes=3).detect([IMAGE])


def test_boxes_of_a_network_without_doubles():
    rows = torch.zeros(1, 300, 6)
    rows[0, 0] = torch.tensor([2.0, 3, 10, 12, 0.9, 1])
    assert np.allclose(detector(rows).detect([IMAGE])[0], [[1, 0.9, 2, 3, 8, 9]])


@pytest.mark.parametrize(
    "output", [torch.zeros(1, 5), torch.full((1, 300, 6), float("nan")), [], {"a": torch.zeros(2)}]
)
def test_other_outputs_are_one_line(output):
    model = detector(output)
    if isinstance(output, torch.Tensor) and output.ndim == 3:
        assert model.detect([IMAGE])[0].shape == (0, 6)  # NaN is no score
    else:
        with pytest.raises(InputError):
            model.detect([IMAGE])


def test_masks_are_of_the_images_own_size():
    scores = torch.zeros(1, 3, 10, 20)
    scores[:, 2, :, 10:] = 5
    scores[:, 1, :, :10] = 5
    spec = InputSpec(task="segmentation", height=10, width=20)
    for output in (scores, {"out": scores, "aux": scores * 0}, scores.argmax(dim=1)):
        mask = LoadedModel(lambda batch, output=output: output, spec, "net").segment([IMAGE])[0]
        assert (mask.shape, mask.dtype) == ((20, 40), np.uint8)
        assert (mask[:, :18] == 1).all()
        assert (mask[:, 22:] == 2).all()
    one = torch.where(scores[:, 2:] > 0, 3.0, -3.0)
    mask = LoadedModel(lambda batch: one, spec, "net").segment([IMAGE])[0]
    assert (mask[:, 22:] == 1).all()
    assert (mask[:, :18] == 0).all()
    with pytest.raises(InputError, match="segmentation, not of detection"):
        LoadedModel(lambda batch: one, spec, "net").detect([IMAGE])


class Linear(torch.nn.Module):
    """Its integrated gradients are weight times value."""

    def __init__(self, outputs):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(48, outputs)

    def forward(self, x):
        return self.layer(x.flatten(1))


@pytest.mark.parametrize("outputs", [3, 1])
def test_attributions_are_signed_and_sum_to_the_score(outputs):
    net = Linear(outputs)
    model = LoadedModel(net, InputSpec(mean=(0.5,), std=(0.25,)), "net", module=net)
    images = IMAGE[:4, :12].reshape(3, 4, 4, 3)
    classes = np.array([0, 1, 1])
    found = model.attribute(images, classes)
    assert (found.shape, found.dtype) == ((3, 4, 4), np.float64)
    weights = net.layer.weight.detach().double().view(-1, 3, 4, 4)
    weights = torch.cat([-weights, weights]) if outputs == 1 else weights
    change = torch.from_numpy(images / 255 / 0.25).permute(0, 3, 1, 2)
    assert np.allclose(found, (weights[classes] * change).sum(dim=1).numpy(), atol=1e-4)
    assert (found < 0).any()


def test_batches_are_halved_until_they_fit():
    asked = []

    def run(batch):
        asked.append(len(batch))
        if len(batch) > 3:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return batch.mean(dim=(2, 3))

    images = np.stack([IMAGE] * 10)
    assert LoadedModel(run, InputSpec(), "net").predict(images).shape == (10, 3)
    assert asked == [10, 5, 2, 2, 2, 2, 2]

    def never(batch):
        raise RuntimeError("not enough memory: you tried to allocate 9 bytes")

    with pytest.raises(ToolError, match="more memory than there is for one image"):
        LoadedModel(never, InputSpec(), "net").predict(images)
