"""Conversations written by somebody who saw neither the seed set nor what the model gets wrong.

    python -m benchmarks.blind.run [--lora FILE] [--show] [--json]

The golden cases were looked at while the model was trained; these were not: they say how far the golden cases' score
can be trusted. They were checked to be reachable with ideal acts, and reworded where the product (not the model) could
not answer, so they judge understanding, and FAQ search only in part. Do not train or tune on them; write new ones when
they have been looked at too often.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.setup import open_model, plugins
from shopbot import evals
from shopbot.config import Config

CASES = Path(__file__).with_name("cases.toml")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lora", type=Path)
    parser.add_argument("--show", action="store_true", help="show the conversations that failed")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    backend, manifest = open_model(arguments.lora)
    cases = [(case.name.partition("-")[0], case) for case in evals.load_cases(CASES)]
    report = evals.run_cases(cases, config=Config(), plugins=plugins(), backend=backend, manifest=manifest)
    backend.close()
    if arguments.json:
        print(json.dumps(report.as_json(), indent=2))
        return
    for result in report.results:
        if arguments.show and not result.has_passed:
            print(f"── {result.case.name}\n{result.transcript}", *(f"  ✗ {why}" for why in result.failures), sep="\n")
    for name, (passed, total) in report.by_plugin().items():
        low, high = evals.wilson(passed, total)
        print(f"{name:8} {passed} of {total}, {passed / total:.1%} [{low:.1%}, {high:.1%}]")
    low, high = evals.wilson(report.passed, len(report.results))
    print(f"all      {report.passed} of {len(report.results)}, {report.rate:.1%} [{low:.1%}, {high:.1%}]")


if __name__ == "__main__":
    main()
