"""The base model: what every GAN does, and the hooks by which methods change it.

A step hands batches from hook to hook, dictionaries of tensors whose first axis is the image's place. Their keys:

- `images` [N, H, W, C] in [-1, 1], or points [N, D]; `labels` int32 [N], or None.
- `images/<name>` [N, H, W, C]: of fakes, other pictures that the generator makes of the same latents and the
  discriminator looks at, too; what transforms `images` does the same to them.
- `latents` [N, latent_dim]: of fakes, what they are made of.
- `outputs`: what the discriminator in training says of the images, {"adversarial": [N, 1], "class": [N, K], ...};
  some give `features` [N, C], or `embedding` and `proxy` [N, D], too; there when a method is asked for losses and
  measures (`GAN.with_outputs`).
- `gradient_penalty_mix` [N, 1, ...] in [0, 1): of fakes, where between real and fake a gradient penalty is taken.
- `perturbation` [N, H, W, C], and `fixed`, a Python True: what FastGAN adds to images, and a batch whose outputs
  give no gradient.
- `augment/<name>` [N, ...]: random numbers of a transform that the discriminator sees the images through.
- `mixing_latents` [N, latent_dim], `crossover` int32 [N], `noise/<i>` [N, ...]: second latents of StyleMixingGAN, the
  first slot that is theirs, and the noise of the generator's layers.
- `random_architecture/<i>`, `<network>_noise/<i>`: one array for the batch (`GAN.shared_entries`), the rows of a
  supernet's mixing, and the uniform numbers that they are made of.
- `self_supervised_part` int32 [N], all alike, `self_supervised_margin` [N, P], `self_supervised_noise/<layer>`
  [N, h, w, 1]: SelfSupervisedGAN's quarter that is decoded, what moves its logits, noise of the generator's layers.
- `consistency/<name>` int32 [N]: how ConsistencyGAN transforms an image. `latent_consistency_noise` [N, latent_dim]:
  of fakes, what LatentConsistencyGAN adds to latents, times its deviation.
- `r3gan_slope` [N]: R3GAN's squared slope of the logits at each image.
- `for_penalty`, a Python True: the images are those of a penalty, see `tfgans.methods.regularized.critic`.

Nothing else travels in a batch; a method's own keys begin with its name.
"""

from tfgans.gan.forwards import batch_size
from tfgans.gan.label_draws import takes_labels
from tfgans.gan.model import GAN

__all__ = ["GAN", "batch_size", "takes_labels"]
