"""PyTorch with torch.compile around the model's forward and backward pass.

Tried as well on two cores, in turns, with models a and c of `configurations`: the default mode,
"max-autotune-no-cudagraphs", softplus in place of binary_cross_entropy_with_logits, and
optimizer.step compiled too, all slower or equal; forward, backward and Adam in one graph by
torch.func, equal within the noise at a's batch of 100, slower at c's of 20.
"""

import torch
from torch_eager import start
from worker import serve

OPTIONS = {"cpp_wrapper": True, "max_autotune": True}

serve(
    lambda task: start(task, wrap=lambda loss: torch.compile(loss, options=OPTIONS, dynamic=False))
)
