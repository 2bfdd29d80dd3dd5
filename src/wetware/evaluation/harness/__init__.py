"""The Language Model Evaluation Harness (``lm-eval``, the extra ``eval``): its tasks asked of a model of ours.

``python -m wetware.evaluation.harness`` is the harness's own command with the model ``wetware`` added to its registry; the
measure ``lm_eval`` asks the same of a model that is loaded already. Nothing here imports the harness before it is needed.
"""
