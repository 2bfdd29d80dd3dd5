"""``causal_scores``, ``causal_mix`` and ``causal_mix_twice``: products of attention whose matrix is 0 above the diagonal."""

from wetware.kernels.causal_products import blocked
from wetware.kernels.causal_products.cases import mix_cases, scores_cases
from wetware.kernels.causal_products.reference import mix, mix_twice, scores
from wetware.kernels.op import Op

causal_scores = Op("causal_scores", scores, scores_cases)
causal_scores.backend("blocked", blocked.refuses, blocked.HOW)(blocked.scores)
causal_mix = Op("causal_mix", mix, mix_cases)
causal_mix.backend("blocked", blocked.refuses, blocked.HOW)(blocked.mix)
causal_mix_twice = Op("causal_mix_twice", mix_twice, mix_cases)
causal_mix_twice.backend("blocked", blocked.refuses, blocked.HOW)(blocked.mix_twice)

__all__ = ["causal_mix", "causal_mix_twice", "causal_scores"]
