"""The CosFace loss as printed (section A.2), row by row, and the focal loss."""

import math


def cosface(cosines, y, margins, scale):
    """Losses of rows with their own margins."""
    losses = []
    for row, own, margin in zip(cosines, y, margins, strict=True):
        target = math.exp(scale * (row[own] - margin))
        others = sum(math.exp(scale * value) for j, value in enumerate(row) if j != own)
        losses.append(-math.log(target / (target + others)))
    return losses


def focal(losses, gamma):
    """Lin et al.: (1 - p)^gamma times -log p, for each row."""
    return [(1 - math.exp(-loss)) ** gamma * loss for loss in losses]
