"""A look at data before a model learns from them: what is there, and what to begin with.

columns     what is measured
kinds       of which kind a column is
mending     what is wrong, and what mends it
beginning   a likelihood for such data
report      `describe`
"""

from .report import Description, describe

__all__ = ["Description", "describe"]
