"""What a trained model is good for: finding odd rows, and turning one property up.

scores       how odd is a row, and how well does a score tell odd rows from usual ones
directions   the step in z that raises one property by one unit and leaves the others

Not loaded by `import npvae`.
"""

from .directions import Directions, UnreadableWarning, directions, mean_shift
from .scores import AUROC, Scores, anomaly_scores, auroc, code_length, complexity_corrected

__all__ = [
    "AUROC",
    "Directions",
    "Scores",
    "UnreadableWarning",
    "anomaly_scores",
    "auroc",
    "code_length",
    "complexity_corrected",
    "directions",
    "mean_shift",
]
