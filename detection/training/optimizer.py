"""The optimiser and its learning rate; torch alone, so that a bare machine trains as the loop does."""

import torch

from detection.network.detector import Detector
from detection.presets import Training


def total_steps(config: Training, per_epoch: int) -> int:
    """How long a training is."""
    return config.steps or config.epochs * per_epoch


def learning_rate(config: Training, step: int, per_epoch: int) -> float:
    """Rate of a step (from 1 on): a short rise, then constant, a tenth after `drop_after` epochs; see `steps`."""
    if config.steps:
        rate = config.learning_rate * max(1 - (step - 1) / config.steps, 0.0)
    else:
        rate = config.learning_rate if step <= config.drop_after * per_epoch else config.learning_rate / 10
    return rate * min(1.0, 0.1 + 0.9 * step / config.warmup) if config.warmup else rate


def make_optimizer(network: Detector, config: Training) -> torch.optim.Optimizer:
    """Optimise what is not frozen; biases and normalisations are not decayed."""
    wanted = [values for values in network.parameters() if values.requires_grad]
    groups = [
        {"params": [values for values in wanted if values.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [values for values in wanted if values.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.learning_rate)
    return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum)
