"""Rank-1 identification and angles as the paper says them, row by row."""

import math


def cosine(a, b):
    return sum(x * z for x, z in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


def rank1(probes, y, gallery, gallery_y, leave_out):
    """1, 0 or None a probe: is the nearest row of the gallery of the same class?"""
    found = []
    for i, probe in enumerate(probes):
        others = [j for j in range(len(gallery)) if not (leave_out and i == j)]
        if not any(gallery_y[j] == y[i] for j in others):
            found.append(None)
            continue
        best = max(others, key=lambda j: cosine(probe, gallery[j]))
        found.append(int(gallery_y[best] == y[i]))
    return found


def centres(rows, identity):
    """The mean unit vector of each identity."""
    found = {}
    for name in sorted(set(identity)):
        mine = [r for r, i in zip(rows, identity, strict=True) if i == name]
        unit = [[x / math.hypot(*r) for x in r] for r in mine]
        found[name] = [sum(column) / len(unit) for column in zip(*unit, strict=True)]
    return found


def angles(rows, identity, group):
    """{group: (intra, inter)} in degrees, for identities of one group each."""
    centre = centres(rows, identity)
    of = dict(zip(identity, group, strict=True))
    result = {}
    for name in sorted(set(group)):
        intra, inter = [], []
        for person in (p for p in centre if of[p] == name):
            mine = [r for r, i in zip(rows, identity, strict=True) if i == person]
            each = [math.degrees(math.acos(cosine(r, centre[person]))) for r in mine]
            intra.append(sum(each) / len(each))
            others = [math.acos(cosine(centre[person], centre[q])) for q in centre if q != person]
            inter.append(math.degrees(min(others)))
        result[name] = (sum(intra) / len(intra), sum(inter) / len(inter))
    return result
