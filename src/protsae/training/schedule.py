"""Learning rate as a pure function of the step."""


def rate_factor(step: int, n_steps: int, warmup_share: float) -> float:
    """Return the share of the peak rate at `step` (0-based): linear warm-up, then linear decay towards zero.

    Args:
        step: 0-based step.
        n_steps: steps of the whole run.
        warmup_share: share of `n_steps` that the warm-up takes.
    """
    n_warmup = int(n_steps * warmup_share)
    if step < n_warmup:
        return (step + 1) / (n_warmup + 1)
    return (n_steps - step) / (n_steps - n_warmup)


def snapshot_steps(n: int, n_steps: int) -> frozenset[int]:
    """Return at most `n` steps from 1 to `n_steps`, evenly spaced by their logarithm.

    Early ones that fall on the same step count once; a single one is the last step.
    """
    if n < 2:
        return frozenset([n_steps] * n)
    return frozenset(round(n_steps ** (i / (n - 1))) for i in range(n))
