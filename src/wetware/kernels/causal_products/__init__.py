"""``causal_scores`` and ``causal_mix``: the two products of attention of which a query needs the lower triangle alone."""

from wetware.kernels.causal_products import blocked
from wetware.kernels.causal_products.cases import mix_cases, scores_cases
from wetware.kernels.causal_products.reference import mix, scores
from wetware.kernels.op import Op

causal_scores = Op("causal_scores", scores, scores_cases)
causal_scores.backend("blocked", blocked.refuses, blocked.HOW)(blocked.scores)
causal_mix = Op("causal_mix", mix, mix_cases)
causal_mix.backend("blocked", blocked.refuses, blocked.HOW)(blocked.mix)

__all__ = ["causal_mix", "causal_scores"]
