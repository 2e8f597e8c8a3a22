"""What a run would do, without doing it: runs nothing, writes nothing, takes no lock."""

from kedro.pipeline import Pipeline

from protsae.caching.decisions import Decider, Decision, Verdict
from protsae.caching.report import Report, cost, disk, duration


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


def show_plan(planned: list[tuple[str, Decision]]) -> None:
    """Print a plan, with the time and disk that the last runs took."""
    report = Report([name for name, _ in planned])
    for name, decision in planned:
        expected = "" if decision.verdict is Verdict.SKIP else cost(decision.record)
        report.line(name, decision, expected)
    certain = [decision for _, decision in planned if decision.verdict is Verdict.RUN]
    possible = [decision for _, decision in planned if decision.verdict is Verdict.MAYBE]
    skipped = sum(decision.verdict is Verdict.SKIP for _, decision in planned)
    report.text(
        f"plan: {len(certain)} to run ({_sum(certain)}), {len(possible)} perhaps ({_sum(possible)}), "
        f"{skipped} to skip; nothing was run"
    )


def _sum(decisions: list[Decision]) -> str:
    records = [decision.record for decision in decisions if decision.record]
    seconds = sum(record.seconds for record in records)
    known = f"{duration(seconds)}, {disk(sum(record.bytes_written for record in records))}"
    unknown = len(decisions) - len(records)
    return f"{known}, {unknown} unknown" if unknown else known
