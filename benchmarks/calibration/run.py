"""How far the model's confidence can be trusted, and the threshold below which asking back pays.

    python -m benchmarks.calibration.run [--lora FILE] [--limit 600] [--json]

Platt scaling is fitted on the dev part of the third-party rows and judged on the held-out part: expected calibration
error before and after, and for each threshold how many acts would be asked back and how many of those are wrong.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.setup import open_model, plugins
from benchmarks.shared_data import ACTS_OF_INTENT, part_of, read
from shopbot.understand import Calibration, Understanding

Floats = npt.NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lora", type=Path)
    parser.add_argument("--limit", type=int, default=600)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    backend, manifest = open_model(arguments.lora)
    tools = plugins().tools()
    understanding = Understanding(backend, tools.values(), trained=tools, bias=manifest.bias if manifest else None)
    dev_p, dev_right = _judge(understanding, "dev", arguments.limit)
    p, right = _judge(understanding, "held_out", arguments.limit)
    backend.close()
    slope, offset = fit(dev_p, dev_right)
    calibrated = np.array([Calibration(slope, offset)(float(np.log(value))) for value in p])
    rows = []
    for threshold in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        asked = calibrated < threshold
        rows.append(
            (
                threshold,
                float(asked.mean()),
                float(1 - right[asked].mean()) if asked.any() else 0.0,
                float(right[~asked].mean()),
            )
        )
    result = {
        "slope": round(slope, 4),
        "offset": round(offset, 4),
        "n": len(p),
        "error_before": round(calibration_error(p, right), 4),
        "error_after": round(calibration_error(calibrated, right), 4),
        "thresholds": [
            {
                "threshold": t,
                "asked_back": round(a, 4),
                "of_them_wrong": round(w, 4),
                "right_among_the_rest": round(r, 4),
            }
            for t, a, w, r in rows
        ],
    }
    print(json.dumps(result, indent=None if arguments.json else 2))


def fit(p: Floats, right: Floats, steps: int = 50) -> tuple[float, float]:
    """Platt scaling by Newton's method, with the smoothed targets of Platt (1999) and a little ridge."""
    clipped = np.clip(p, 1e-6, 1 - 1e-6)
    x = np.stack([np.log(clipped / (1 - clipped)), np.ones_like(p)], axis=1)
    good, bad = right.sum(), (1 - right).sum()
    target = np.where(right > 0, (good + 1) / (good + 2), 1 / (bad + 2))
    weights = np.array([1.0, 0.0])
    for _ in range(steps):
        guess = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (guess - target) + 1e-3 * weights
        hessian = (x * (guess * (1 - guess))[:, None]).T @ x + 1e-3 * np.eye(2)
        weights = weights - np.linalg.solve(hessian, gradient)
    return float(weights[0]), float(weights[1])


def calibration_error(p: Floats, right: Floats, bins: int = 10) -> float:
    """Expected calibration error over equal-width bins."""
    place = np.minimum((p * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(p[place == b].mean() - right[place == b].mean()) * (place == b).mean()
            for b in range(bins)
            if (place == b).any()
        )
    )


def _judge(understanding: Understanding, part: str, limit: int) -> tuple[Floats, Floats]:
    rows = [row for row in read("intent_routing.jsonl") if part_of(row["id"]) == part]
    rows = random.Random(0).sample(rows, min(limit, len(rows)))
    pairs = []
    for row in rows:
        acts = understanding(row["text"], "-").acts
        wanted = ACTS_OF_INTENT[row["intent"]] | ({"out_of_scope"} if row["intent"] == "smalltalk" else set())
        if acts:
            pairs.append((acts[0].confidence, float(acts[0].name in wanted)))
    found = np.array(pairs)
    return found[:, 0], found[:, 1]


if __name__ == "__main__":
    main()
