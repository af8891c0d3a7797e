"""Maps of features: their principal components, and t-SNE."""

import numpy as np

_PERPLEXITY, _COMPONENTS = 30.0, 50


def principal_components(features, count):
    """`(scores, shares)`: features [n, d] on their first principal axes, and the share of the variance of each.

    Args: count: how many; less where there are not so many.
    Returns: float64 [n, k], zero on average, and [k], falling.
    """
    from sklearn.decomposition import PCA

    count = min(count, *features.shape)
    model = PCA(count, svd_solver="randomized" if count < min(features.shape) / 4 else "full", random_state=0)
    return model.fit_transform(features).astype(np.float64), model.explained_variance_ratio_.astype(
        np.float64
    )


def neighbour_map(features):
    """t-SNE (van der Maaten and Hinton 2008) of the first 50 components of features [n, d], n > 3: float64 [n, 2]."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(_PERPLEXITY, (len(features) - 1) / 3.0)
    made = TSNE(init="pca", perplexity=perplexity, random_state=0)
    components = principal_components(features, _COMPONENTS)[0]
    with threadpool_limits(
        1, "openmp"
    ):  # its threads meet in every step, which takes for ever on a busy machine
        return made.fit_transform(components).astype(np.float64)
