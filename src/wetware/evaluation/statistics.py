"""What a few seeds can say: paired differences, their intervals and tests, corrected over a family of arms.

A study trains a reference and changed models, the *arms*, on the same seeds: the same order of the data, the same first weights
by name. The effect of an arm is a *difference* for each seed, arm minus reference, in held-out bits per byte, so **above 0 is
worse**. Effects are held against a *margin*: what is certainly smaller than it makes no difference that matters.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from scipy import special, stats

from wetware.config import ConfigError

ALPHA = 0.05
ROUNDING = 1e-12  # bits per byte: what differs by less differs by rounding alone
EXACT = 20  # seeds up to which all sign flips are gone through: a million sums


class Interval(NamedTuple):
    """Both ends of an interval, in the unit of the values it was made from."""

    low: float
    high: float


class Paired(NamedTuple):
    """The effect of one arm, before any correction; in bits per byte where nothing else is said.

    differences: arm minus reference, one a seed. mean, sd: of them; ``sd`` with n - 1 in the denominator.
    interval: Student's t interval of the mean. bootstrap: the BCa interval, too narrow for so few: of six normal differences
    95 % intervals hold the effect .86 times (``benchmarks/statistics_errors.py``). ``bootstrap_note``: where it is another.
    p: of the two-sided paired t test. permutation_p: of the sign-flip test, two-sided, the observed signs counted.
    effect_size: mean / sd with Hedges' correction, without unit. equivalence_p: of the hypothesis that the effect is
    ``margin`` or more, either way. What one seed alone, or equal differences, cannot give is None.
    """

    differences: tuple[float, ...]
    n: int
    mean: float
    sd: float | None
    confidence: float
    interval: Interval | None
    bootstrap: Interval | None
    bootstrap_note: str
    p: float | None
    permutation_p: float
    effect_size: float | None
    margin: float
    equivalence_p: float | None


class Verdict(StrEnum):
    """What a study says of an arm. Better is fewer bits per byte than the reference."""

    BETTER = "better"
    WORSE = "worse"
    SLIGHTLY_BETTER = "better, by less than the margin"
    SLIGHTLY_WORSE = "worse, by less than the margin"
    EQUIVALENT = "equivalent"
    UNDECIDED = "undecided"


class Judged(NamedTuple):
    """An effect with the p values of both its tests, corrected over its family, and what follows."""

    effect: Paired
    p: float | None
    equivalence_p: float | None
    verdict: Verdict


# -------------------------------------------------------------------------------------------------------------- one effect


def paired(
    differences: Sequence[float], margin: float, confidence: float = 0.95, resamples: int = 9999, seed: int = 0
) -> Paired:
    """Everything about one arm, from its differences ``d`` (n of them, in bits per byte)::

        interval       mean +- t(n - 1) * sd / sqrt(n)                                         Student, 1908
        p              P(|T| >= |mean| sqrt(n) / sd), T of n - 1 degrees of freedom
        permutation_p  share of all 2^n sign flips of d whose |mean| is at least the observed  Fisher, 1935
        bootstrap      bias-corrected and accelerated, from ``resamples`` draws                Efron, 1987
        equivalence_p  the larger p of two one-sided t tests, of effect <= -margin and
                       of effect >= margin: below .05 when the 90 % interval is inside         Schuirmann, 1987

    margin: above 0. confidence: of both intervals, in (0, 1). resamples: 0 leaves the bootstrap out. seed: of its draws.
    Beyond 20 differences the sign flips are drawn too, as many as ``resamples``, 9999 when that is 0.

    One difference has no interval and no t test. Equal ones have the point as interval; the t tests then take the limit, p = 0
    or 1. Raises ConfigError for no difference at all, and for one that is not finite.
    """
    values = _finite(differences)
    in_range("margin", margin, 0.0, math.inf)
    in_range("confidence", confidence, 0.0, 1.0)
    n, mean, sd = len(values), float(values.mean()), _sd(values)
    rng = np.random.default_rng(seed)
    bootstrap, note = _bootstrap(values, confidence, resamples, rng)
    return Paired(
        differences=tuple(values.tolist()),
        n=n,
        mean=mean,
        sd=sd,
        confidence=confidence,
        interval=interval(values, confidence),
        bootstrap=bootstrap,
        bootstrap_note=note,
        p=None if sd is None else 2 * _tail(abs(mean), sd, n) if abs(mean) > ROUNDING else 1.0,
        permutation_p=_permutation_p(values, resamples or 9999, rng),
        effect_size=mean / sd * hedges(n - 1) if sd and n > 2 else None,
        margin=margin,
        equivalence_p=None if sd is None else max(_tail(margin - mean, sd, n), _tail(margin + mean, sd, n)),
    )


def interval(values: Sequence[float] | np.ndarray, confidence: float = 0.95) -> Interval | None:
    """Student's t interval of the mean of ``values`` [n]; the point itself when all are equal, None when n = 1."""
    values = _finite(values)
    n, mean, sd = len(values), float(values.mean()), _sd(values)
    if sd is None:
        return None
    half = float(special.stdtrit(n - 1, (1 + confidence) / 2)) * sd / math.sqrt(n)
    return Interval(mean - half, mean + half)


def hedges(freedom: int) -> float:
    """By how much mean / sd is too large on average, as a factor that mends it (Hedges, 1981), with m degrees of freedom::

    J(m) = gamma(m / 2) / (sqrt(m / 2) * gamma((m - 1) / 2))
    """
    return math.exp(special.gammaln(freedom / 2) - special.gammaln((freedom - 1) / 2)) / math.sqrt(freedom / 2)


def _finite(differences: Sequence[float] | np.ndarray) -> np.ndarray:
    values = np.asarray(differences, dtype=float)
    if values.ndim != 1 or not len(values):
        raise ConfigError(f"differences of shape {values.shape}: allowed one number a seed, of at least one seed")
    if not np.isfinite(values).all():
        bad = ", ".join(f"[{place}] = {values[place]}" for place in np.flatnonzero(~np.isfinite(values)))
        raise ConfigError(
            f"differences{bad}: allowed finite numbers; a run that diverged has no bits per byte to compare"
        )
    return values


def _sd(values: np.ndarray) -> float | None:
    if len(values) < 2:
        return None
    return 0.0 if np.ptp(values) <= ROUNDING else float(values.std(ddof=1))


def _tail(distance: float, sd: float, n: int) -> float:
    """P(T >= distance / standard error); its limit when there is no spread."""
    if sd == 0:
        return 0.0 if distance > 0 else 1.0
    return float(special.stdtr(n - 1, -distance * math.sqrt(n) / sd))


def _permutation_p(values: np.ndarray, draws: int, rng: np.random.Generator) -> float:
    # Turning all signs turns the mean and keeps its size: with the first sign held, half of the flips tell all.
    observed = abs(values.sum())
    least = observed - 1e-9 * np.abs(values).sum()  # the same sum in another order must not come out smaller
    if len(values) <= EXACT:
        sums = values[:1]
        for value in values[1:]:
            sums = np.concatenate((sums + value, sums - value))
        return float((np.abs(sums) >= least).mean())
    signs = rng.integers(0, 2, (draws, len(values)), dtype=np.int8) * 2 - 1
    return float((1 + (np.abs(signs @ values) >= least).sum()) / (1 + draws))


def _bootstrap(
    values: np.ndarray, confidence: float, resamples: int, rng: np.random.Generator
) -> tuple[Interval | None, str]:
    plain = interval(values, confidence)
    if plain is None or not resamples:
        return None, "not taken" if plain else "one seed has no interval"
    if plain.low == plain.high:
        return plain, "all differences are equal: the point itself"
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of degenerate data: its answer is looked at below
        ends = stats.bootstrap(
            (values,), np.mean, n_resamples=resamples, confidence_level=confidence, method="BCa", rng=rng
        ).confidence_interval
    if not math.isfinite(ends.low) or not math.isfinite(ends.high):
        return plain, "BCa is undefined here: the t interval"
    return Interval(float(ends.low), float(ends.high)), ""


# ---------------------------------------------------------------------------------------------------------------- families


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p values, corrected so that the chance of any false positive among them stays what it is for one (Holm, 1979)::

        adjusted(i) = max over j <= i of min(1, (m - j + 1) * p(j)),   p(1) <= ... <= p(m)

    In the order given. None stays None and is not counted in m.
    """
    for p in p_values:
        if p is not None and not 0 <= p <= 1:
            raise ConfigError(f"p = {p} is out of range: allowed [0, 1]")
    ranked = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(ranked):
        largest = max(largest, min(1.0, (len(ranked) - rank) * p))
        adjusted[place] = largest
    return adjusted


def verdict(
    effect: Paired, corrected_p: float | None, corrected_equivalence_p: float | None, *, alpha: float = ALPHA
) -> Verdict:
    """One word for an arm. An effect that is significant, and as significantly smaller than the margin, is called both."""
    different = corrected_p is not None and corrected_p <= alpha
    within = corrected_equivalence_p is not None and corrected_equivalence_p <= alpha
    if not different:
        return Verdict.EQUIVALENT if within else Verdict.UNDECIDED
    if within:
        return Verdict.SLIGHTLY_WORSE if effect.mean > 0 else Verdict.SLIGHTLY_BETTER
    return Verdict.WORSE if effect.mean > 0 else Verdict.BETTER


def family(effects: Sequence[Paired], *, alpha: float = ALPHA) -> tuple[Judged, ...]:
    """The arms of one question, judged together: Holm over the t tests and, by itself, over the tests of equivalence.

    So at most ``alpha`` of studies call any arm without an effect better or worse, and at most ``alpha`` call any arm smaller
    than the margin that is not.
    """
    in_range("alpha", alpha, 0.0, 1.0)
    corrected = holm([effect.p for effect in effects])
    equivalent = holm([effect.equivalence_p for effect in effects])
    return tuple(
        Judged(effect, p, within, verdict(effect, p, within, alpha=alpha))
        for effect, p, within in zip(effects, corrected, equivalent, strict=True)
    )


# ---------------------------------------------------------------------------------------------------------------- wording


def written(p: float | None) -> str:
    """A p value in words: ``p = .031``, ``p < .001``."""
    if p is None:
        return "no p"
    return "p < .001" if p < 0.001 else f"p = {short(p)}"


def short(probability: float) -> str:
    """Three decimals below .1 and two above, without the zeros at either end."""
    text = f"{probability:.3f}" if probability < 0.1 else f"{probability:.2f}"
    return text.rstrip("0").rstrip(".").removeprefix("0") or "0"


def in_range(name: str, value: float, low: float, high: float) -> None:
    """Raise ConfigError unless ``value`` lies between ``low`` and ``high``, both left out."""
    if not low < value < high:
        raise ConfigError(f"{name} = {value} is out of range: allowed ({low:g}, {high:g})")
