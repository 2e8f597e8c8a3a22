"""What a run would do, without doing it: runs nothing, writes nothing, takes no lock."""

from kedro.pipeline import Pipeline

from protsae.caching.decisions import Decider, Decision, Verdict
from protsae.caching.foresight import Cost, Foresight, total
from protsae.caching.report import Report, cost


def plan(decider: Decider, pipeline: Pipeline, no_cache: bool) -> list[tuple[str, Decision]]:
    """Return each node's name and what would happen to it.

    Outputs of nodes that run are in doubt: the nodes after them run only if the new bytes differ, which
    is not known before.
    """
    planned: list[tuple[str, Decision]] = []
    in_doubt: set[str] = set()
    for node in pipeline.nodes:
        decision = decider.decide(node, in_doubt)
        if no_cache:
            decision = Decision(Verdict.RUN, "--no-cache", decision.record)
        elif decision.verdict is Verdict.WAIT and in_doubt.intersection(node.inputs):
            decision = Decision(Verdict.MAYBE, "if a node that needs it runs", decision.record)
        if decision.verdict in {Verdict.RUN, Verdict.MAYBE}:
            in_doubt.update(node.outputs)
        planned.append((node.name, decision))
    return planned


def show_plan(planned: list[tuple[str, Decision]], foresight: Foresight) -> None:
    """Print a plan, with the time, disk space and memory that nodes and stages are expected to take."""
    report = Report([name for name, _ in planned])
    costs = {name: foresight.cost(name, decision.record) for name, decision in planned}
    for name, decision in planned:
        report.line(name, decision, "" if decision.verdict is Verdict.SKIP else f"  [{cost(costs[name])}]")
    certain = [costs[name] for name, decision in planned if decision.verdict is Verdict.RUN]
    possible = [costs[name] for name, decision in planned if decision.verdict is Verdict.MAYBE]
    stages: dict[str, list[Cost | None]] = {}
    for name, decision in planned:
        if decision.verdict in {Verdict.RUN, Verdict.MAYBE}:
            stages.setdefault(name.partition(".")[0], []).append(costs[name])
    for stage, members in stages.items():
        report.text(f"  {stage:<16} {_sum(members)}")
    skipped = sum(decision.verdict is Verdict.SKIP for _, decision in planned)
    report.text(
        f"plan: {len(certain)} to run ({_sum(certain)}), {len(possible)} perhaps ({_sum(possible)}), "
        f"{skipped} to skip; nothing was run"
    )
    if stages:
        report.text(_basis(foresight, [*certain, *possible]))


def _basis(foresight: Foresight, costs: list[Cost | None]) -> str:
    if not foresight.now:
        return (
            "foreseen from the last runs of the same nodes: proteins or the model's width are unknown as yet"
        )
    sizes = (
        f"foreseen for {foresight.now['proteins']:,.0f} proteins, {foresight.now['residues']:,.0f} residues"
    )
    n_demo = sum(found is not None and found.of_demo for found in costs)
    if not n_demo:
        return f"{sizes}, from runs on this machine"
    off = foresight.figures["off"]
    return (
        f"{sizes}; {n_demo} nodes from the demo's figures ({foresight.figures['machine']}); the demo itself, "
        f"foreseen from {foresight.figures['off_from']}, was off by {off['seconds']:.0%} in time, "
        f"{off['n_bytes']:.0%} in disk space, {off['peak_mb']:.0%} in memory"
    )


def _sum(costs: list[Cost | None]) -> str:
    known = [found for found in costs if found is not None]
    unknown = f", {len(costs) - len(known)} unknown" if len(known) < len(costs) else ""
    return cost(total(known)) + unknown
