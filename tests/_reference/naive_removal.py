"""What the removal network pays, row by row, from probabilities."""

import math


def confusion(probabilities, prior):
    """KL(prior || P) of each row."""
    return [
        sum(pi * math.log(pi / p) for pi, p in zip(prior, row, strict=True))
        for row in probabilities
    ]


def published(probabilities, s):
    """The printed log(1 + |0.9 - P_s|) of each row (section A.2)."""
    return [math.log(1 + abs(0.9 - row[s])) for row in probabilities]
