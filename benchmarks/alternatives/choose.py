"""Settings of the alternatives, tried on development rows.

    python -m benchmarks.alternatives.choose router [--rows 300]
    python -m benchmarks.alternatives.choose framework [--rows 30] [--only 'tools, 6']

``benchmarks.alternatives.run`` says what has to be installed, and uses what was best here.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product

from benchmarks.alternatives import shots
from benchmarks.alternatives.engines import chat_server
from benchmarks.alternatives.framework import Form, FrameworkArm
from benchmarks.alternatives.judging import Answer, call_cases, costs, routing_cases, shares
from benchmarks.alternatives.offers import offers
from benchmarks.alternatives.router import ENCODERS, Encoder, RouterArm, RouterSettings, wordllama_embeddings
from benchmarks.alternatives.shots import Shot

Choose = Callable[[str], Sequence[Shot]]
_VOTES = (("max", 5), ("mean", 5), ("sum", 5), ("sum", 15))
_ALPHAS = (1.0, 0.7, 0.4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["router", "framework"])
    parser.add_argument("--rows", type=int)
    parser.add_argument("--only", default="", help="settings of the framework whose names have this in them")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    if arguments.what == "router":
        _routers(arguments.rows or 300)
    else:
        _frameworks(arguments.rows or 30, arguments.only)


def _routers(rows: int) -> None:
    offered, cases = offers(), routing_cases("dev", rows)
    sources = {"declared": shots.declared(offered), "training rows": shots.with_training_rows(offered)}
    for encoder_name, make in ENCODERS.items():
        encoder = Encoder(embed=make())
        for (source, found), (vote, top_k), alpha in product(sources.items(), _VOTES, _ALPHAS):
            arm = RouterArm(found, encoder, RouterSettings(vote, top_k, alpha))
            print(f"{encoder_name}, {source}, {vote} of {top_k}, alpha {alpha}: {arm.fit(cases):.1%}", flush=True)


def _frameworks(rows: int, only: str) -> None:
    offered, cases = offers(), [*routing_cases("dev", rows), *call_cases("dev", rows // 2)]
    with chat_server() as server:
        for name, form, choose in framework_settings():
            if only not in name:
                continue
            arm = FrameworkArm(server, offered, form, choose)
            arm(cases[0].text)  # reads what all prompts begin with
            answers = []
            for case in cases:
                began = time.perf_counter()
                answers.append(Answer(case, arm(case.text), 1e3 * (time.perf_counter() - began)))
            print(name, shares(answers), costs(answers), sep="\n  ", flush=True)


def framework_settings() -> Iterator[tuple[str, Form, Choose]]:
    """Name, form of the answer, and the shots for a message."""
    offered, embed = offers(), wordllama_embeddings()
    known = shots.declared(offered)
    every = [shot for offer in offered for shot in [one for one in known if one.name == offer.name][:1]]
    forms: tuple[Form, ...] = ("json", "tools")
    for form in forms:
        yield f"{form}, no shots", form, lambda _: ()
        yield f"{form}, one shot a function", form, lambda _: every
        yield f"{form}, 6 nearest shots", form, shots.Nearest(known, embed, 6)
    yield "json, 6 nearest of the training rows", "json", shots.Nearest(shots.with_training_rows(offered), embed, 6)


if __name__ == "__main__":
    main()
