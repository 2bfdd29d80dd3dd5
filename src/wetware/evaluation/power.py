"""What a few seeds could have shown, whatever they did show: the power of the tests in ``statistics``."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import integrate, optimize, special, stats

from wetware.config import ConfigError
from wetware.evaluation.statistics import ALPHA, in_range, short

POWER = 0.8
MOST_SEEDS = 10**7  # no study has more
NORMAL = "if the differences are near normal"


def power(n: int, d: float, alpha: float = ALPHA) -> float:
    """How likely the two-sided paired t test with ``n`` seeds finds an effect of ``d`` = mean / sd of the differences::

        P(|T| > t(1 - alpha / 2, n - 1)),   T noncentral t, n - 1 degrees of freedom, noncentrality d sqrt(n)

    Cohen (1988).
    """
    _seeds(n, least=2)
    in_range("alpha", alpha, 0.0, 1.0)
    critical, shift = special.stdtrit(n - 1, 1 - alpha / 2), abs(d) * math.sqrt(n)
    # the far tail is lost in rounding for large shifts, and comes back as NaN
    return float(stats.nct.sf(critical, n - 1, shift) + np.nan_to_num(stats.nct.cdf(-critical, n - 1, shift)))


def seeds_for(d: float, power: float = POWER, alpha: float = ALPHA) -> int:
    """The fewest seeds with which an effect of ``d`` = mean / sd is found with that ``power``."""
    in_range("power", power, 0.0, 1.0)
    in_range("|d|", abs(d), 0.0, math.inf)
    found = _fewest(lambda n: _power(n, d, alpha) >= power)
    if found is None:
        raise ConfigError(f"d = {d} takes more than {MOST_SEEDS} seeds")
    return found


def detectable(n: int, power: float = POWER, alpha: float = ALPHA) -> float:
    """The smallest ``d`` = mean / sd that ``n`` seeds find with that ``power``, which must be above ``alpha``."""
    in_range("power", power, alpha, 1.0)
    top = 1.0
    while _power(n, top, alpha) < power:
        top *= 2
    return float(optimize.brentq(lambda d: _power(n, d, alpha) - power, 0.0, top))


_power = power  # where an argument has its name


def smallest_permutation_p(n: int) -> float:
    """The smallest two-sided p that the exact sign-flip test can give: all of ``n`` differences on one side, 2 in 2^n."""
    _seeds(n, least=1)
    return 2.0 ** (1 - n)


def equivalence_power(n: int, sd: float, margin: float, effect: float = 0.0, alpha: float = ALPHA) -> float:
    """How likely equivalence within ``margin`` is shown when the true effect is ``effect``, all in bits per byte::

        P(|mean| < margin - t(1 - alpha, n - 1) s / sqrt(n)),   mean ~ N(effect, sd^2 / n),   s ~ sd chi(n - 1) / sqrt(n - 1)

    integrated over s (Phillips, 1990). sd: of one difference, 0 or more.
    """
    _seeds(n, least=2)
    in_range("margin", margin, 0.0, math.inf)
    in_range("alpha", alpha, 0.0, 1.0)
    if sd == 0:
        return float(abs(effect) < margin)
    in_range("sd", sd, 0.0, math.inf)
    freedom, error, critical = n - 1, sd / math.sqrt(n), special.stdtrit(n - 1, 1 - alpha)
    low, high = (margin + effect) / error, (margin - effect) / error

    def density(s: float) -> float:  # s in units of sd
        inside = special.ndtr(high - critical * s) - special.ndtr(critical * s - low)
        return stats.chi.pdf(s * math.sqrt(freedom), freedom) * math.sqrt(freedom) * inside

    # beyond ``most`` no mean lies inside; the rest of the line has no weight, and a peak far from its ends is overlooked
    most = (low + high) / (2 * critical)
    first, last = stats.chi.ppf((1e-12, 1 - 1e-12), freedom) / math.sqrt(freedom)
    return float(integrate.quad(density, first, min(last, most))[0]) if first < most else 0.0


def limits(n: int, arms: int, sd: float | None = None, margin: float | None = None) -> list[str]:
    """Sentences for every report: what ``n`` seeds and a family of ``arms`` could have shown, whatever they did show.

    sd: of a difference, in bits per byte, where it is known; an estimate of it, pooled over arms, is taken as if it were the
    true one. margin: of equivalence, likewise.
    """
    _seeds(n, least=1)
    if arms < 1:
        raise ConfigError(f"arms = {arms} is out of range: allowed 1 or more")
    if n == 1:
        return ["1 seed: nothing tells an effect from the noise of a seed; no interval, no test, no verdict."]
    said = _permutation_limits(n, arms)
    strict = ALPHA / arms  # what Holm asks of the smallest p: the least power an arm can have
    found, corrected = detectable(n), detectable(n, alpha=strict)
    many = arms > 1
    said.append(
        f"The paired t test finds an effect of {found:.2f} standard deviations of a difference with power {short(POWER)}"
        + (
            f" without correction, of {corrected:.2f} at Holm's strictest step ({short(ALPHA)} / {arms})."
            if many
            else "."
        )
    )
    if sd:
        both = f"{found * sd:.4f} and {corrected * sd:.4f}" if many else f"{found * sd:.4f}"
        said.append(
            f"The standard deviation of a difference was {sd:.4f} bits per byte, so that is an effect of {both} bits per "
            f"byte: smaller ones could be missed."
        )
    if margin:
        said.append(_equivalence_limit(n, strict, sd, margin))
    return said


def _permutation_limits(n: int, arms: int) -> list[str]:
    least = smallest_permutation_p(n)
    said = [f"{n} seeds: no exact permutation test can give a two-sided p below {short(least)} (2 in 2^{n})."]
    if arms == 1:
        reaches = "can" if least <= ALPHA else "cannot"
        said.append(f"It {reaches} reach {short(ALPHA)}; the p reported is that of the paired t test, {NORMAL}.")
    elif arms * least > ALPHA:
        enough = _fewest(lambda seeds: arms * smallest_permutation_p(seeds) <= ALPHA)
        said.append(
            f"Corrected over {arms} arms (Holm) its smallest p is {short(min(1.0, arms * least))}: it cannot ever reach "
            f"{short(ALPHA)}, which takes {enough} seeds. The corrected p is therefore that of the paired t test, {NORMAL}."
        )
    else:
        said.append(
            f"Corrected over {arms} arms (Holm) it can still reach {short(ALPHA)}, at its smallest {short(arms * least)}; "
            f"the corrected p is that of the paired t test, which has more power, {NORMAL}."
        )
    return said


def _equivalence_limit(n: int, alpha: float, sd: float | None, margin: float) -> str:
    if not sd:
        widest = 1 / optimize.brentq(lambda m: equivalence_power(n, 1.0, m, alpha=alpha) - POWER, 1e-3, 1e6)
        return (
            f"Equivalence within {margin:g} bits per byte is shown with power {short(POWER)} when the standard deviation of a "
            f"difference is {widest * margin:.4f} or less."
        )
    chance = equivalence_power(n, sd, margin, alpha=alpha)
    if chance >= POWER:
        return (
            f"Equivalence within {margin:g} bits per byte could have been shown: an arm without any effect shows it with "
            f"probability {short(math.floor(min(chance, 0.99) * 100) / 100)} or more."
        )
    enough = _fewest(lambda seeds: equivalence_power(seeds, sd, margin, alpha=alpha) >= POWER)
    return (
        f"Equivalence within {margin:g} bits per byte could not be counted on: an arm without any effect may show it with "
        f"probability {short(chance)} only; {short(POWER)} takes {enough or f'more than {MOST_SEEDS}'} seeds."
    )


def _fewest(enough: Callable[[int], bool]) -> int | None:
    """The smallest number of seeds, from 2, that is enough, where more always are too; None when no study has so many."""
    high = 2
    while not enough(high):
        if high > MOST_SEEDS:
            return None
        high *= 2
    low = high // 2  # not enough, or below the first that is looked at
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _seeds(n: int, least: int) -> None:
    if n < least:
        raise ConfigError(f"n = {n} seeds: allowed {least} or more")
