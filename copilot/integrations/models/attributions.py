"""How much each pixel speaks for a class: integrated gradients, by Captum."""

from __future__ import annotations

import numpy as np
import torch
from captum.attr import IntegratedGradients
from torch import nn

STEPS = 32


def integrated_gradients(
    module: nn.Module, images: torch.Tensor, black: torch.Tensor, classes: torch.Tensor, batch: int
) -> np.ndarray:
    """Integrated gradients of each class's score along the way from a black image.

    The score is what the module gives: a logit where it gives logits. Black is the baseline that the paper uses for
    object recognition, because it holds no signal; so black pixels themselves get nothing. The values of an image sum
    to the score of the image minus that of black, up to the error of the sum over 32 steps.

    Parameters
    ----------
    module : Module
    images : Tensor of float, shape (n, ...)
        As the module takes them.
    black : Tensor of float, shape (1, ...)
        A black image in the same form.
    classes : Tensor of int64, shape (n,)
    batch : int
        Images that go through the module at once.

    Returns
    -------
    ndarray of float64, of the shape of `images`
        Positive where the value speaks for the class.

    Notes
    -----
    Sundararajan, Taly, Yan: Axiomatic attribution for deep networks, 2017, arxiv:1703.01365.
    """

    def scores(inputs: torch.Tensor) -> torch.Tensor:
        output = module(inputs)
        if isinstance(output, dict):
            output = output.get("logits", next(iter(output.values())))
        while isinstance(output, tuple | list):
            output = output[0]
        output = output if output.ndim > 1 else output[:, None]
        return torch.cat([-output, output], dim=1) if output.shape[1] == 1 else output  # one score for two classes

    with torch.enable_grad():
        found = IntegratedGradients(scores).attribute(
            images, baselines=black, target=classes, n_steps=STEPS, internal_batch_size=batch
        )
    return found.detach().cpu().double().numpy()
