"""The optimizer that goes with lazy regularization (StyleGAN2; Karras et al. 2020, appendix B)."""

from tfgans.config import Count, NotNegative, Positive, Within, configurable
from tfgans.optimizers import TorchAdam


@configurable
def lazy_adam(
    learning_rate: NotNegative = 0.002,
    beta_1: Within("[0, 1)") = 0.0,
    beta_2: Within("[0, 1)") = 0.99,
    epsilon: Positive = 1e-8,
    interval: Count = 1,
):
    """`TorchAdam` for a network that makes one regularizing update more for every `interval` of its usual ones.

    That is interval + 1 steps in place of interval, so that with c = interval / (interval + 1) the rate is
    c * learning_rate and the betas are beta_1 ** c and beta_2 ** c: in all, as if there were no such updates.
    StyleGAN2's intervals are 16 for the discriminator (`R1GAN.r1_interval`) and 4 for the generator
    (`PathLengthGAN.path_length_interval`). Epsilon is where NVlabs' PyTorch code has it; in their first code, for
    TensorFlow, it is where Keras has it.

    Args:
        learning_rate, beta_1, beta_2, epsilon: of Adam without regularizing updates.
        interval: 1 says that there are none (a penalty within the loss, as R1 is with an interval of 1), and
            leaves c = 1. In the logs is the rate that the optimizer has, c included.
    Raises: ConfigError if the interval is not a count.
    """
    share = interval / (interval + 1) if interval > 1 else 1.0
    return TorchAdam(share * learning_rate, beta_1**share, beta_2**share, epsilon)
