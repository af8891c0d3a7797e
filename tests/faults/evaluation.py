"""Faults of features, distances and scores."""

from .fault import Fault

FAULTS = [
    Fault(
        "moments: covariance over n",
        "tfgans/evaluate/frechet.py",
        "return _both_triangles(self._upper) / max(self.count - 1, 1)",
        "return _both_triangles(self._upper) / max(self.count, 1)",
        "tests/evaluate/test_frechet.py -k streaming",
    ),
    Fault(
        "FID: covariances over n",
        "tfgans/evaluate/frechet.py",
        "(moments1.count - 1, moments2.count - 1)",
        "(moments1.count, moments2.count)",
        "tests/evaluate/test_frechet.py -k 'dimension or scipy'",
    ),
    Fault(
        "FID of few: covariance over n",
        "tfgans/evaluate/frechet.py",
        "(x - mean) / np.sqrt(len(x) - 1)",
        "(x - mean) / np.sqrt(len(x))",
        "tests/evaluate/test_intra_class.py -k few_vectors",
    ),
    Fault(
        "FID infinity: the interval has a degree too many",
        "tfgans/evaluate/frechet.py",
        "stats.t.ppf(0.975, len(counts) - 2)",
        "stats.t.ppf(0.975, len(counts) - 1)",
        "tests/evaluate/test_published_metrics.py -k interval",
    ),
    Fault(
        "precision: balls are open",
        "tfgans/evaluate/scores.py",
        "inside = squared <= radii",
        "inside = squared < radii",
        "tests/evaluate/test_published_metrics.py -k closed",
    ),
    Fault(
        "precision: one neighbour less",
        "tfgans/evaluate/scores.py",
        "= squared[:, k]",
        "= squared[:, k - 1]",
        "tests/evaluate/test_scores.py -k radii",
    ),
    Fault(
        "Inception score: parts overlap in the marginal",
        "tfgans/evaluate/scores.py",
        "marginal = self._probabilities / counts[:, None]",
        "marginal = self._probabilities.sum(0) / counts.sum() + 0.0 * self._probabilities",
        "tests/evaluate/test_scores.py -k inception",
    ),
    Fault(
        "KID: diagonals count",
        "tfgans/evaluate/kernel_distances.py",
        "return (matrix.sum() - np.trace(matrix)) / (n * (n - 1))",
        "return matrix.mean() * n / n",
        "tests/evaluate/test_scores.py -k kernel_distance_by_hand",
    ),
    Fault(
        "KID of subsets: real ones are drawn first",
        "tfgans/evaluate/kernel_distances.py",
        "        chosen = fake[draws.choice(len(fake), subset_size, replace=False)]\n"
        "        estimates.append(\n"
        "            squared_discrepancy(real[draws.choice(len(real), subset_size, replace=False)], chosen)\n"
        "        )",
        "        chosen = real[draws.choice(len(real), subset_size, replace=False)]\n"
        "        estimates.append(\n"
        "            squared_discrepancy(chosen, fake[draws.choice(len(fake), subset_size, replace=False)])\n"
        "        )",
        "tests/evaluate/test_published_metrics.py -k subsets",
    ),
    Fault(
        "MIND: without its factor of 3",
        "tfgans/evaluate/projections.py",
        "return 3.0 * real.shape[1]",
        "return real.shape[1]",
        "tests/evaluate/test_published_metrics.py -k mind",
    ),
    Fault(
        "memorization: a sample at its neighbour's distance is authentic",
        "tfgans/evaluate/memorization.py",
        "nearest_of_own(train)[index] < distance",
        "nearest_of_own(train)[index] <= distance",
        "tests/evaluate/test_memorization.py",
    ),
    Fault(
        "reference cache: weights of the extractor are left out",
        "tfgans/evaluate/statistics.py",
        "features.name, features.fingerprint(), keep]",
        "features.name, keep]",
        "tests/evaluate/test_reference_statistics.py",
    ),
    Fault(
        "reference cache: the number kept is left out",
        "tfgans/evaluate/statistics.py",
        "features.fingerprint(), keep]",
        "features.fingerprint()]",
        "tests/evaluate/test_reference_statistics.py",
    ),
    Fault(
        "evaluation: the first features are kept",
        "tfgans/evaluate/statistics.py",
        "np.random.RandomState(seed).permutation(total)[:keep]",
        "np.random.RandomState(seed).permutation(min(total, keep))",
        "tests/evaluate/test_evaluator.py -k random_subset",
    ),
    Fault(
        "within classes: the worst recall is the best",
        "tfgans/evaluate/intra_class.py",
        '"intra_recall_worst": float(np.min(measured[1]))',
        '"intra_recall_worst": float(np.max(measured[1]))',
        "tests/evaluate/test_intra_class.py -k brute",
    ),
    Fault(
        "spectrum: the highest quarter begins a ring later",
        "tfgans/evaluate/spectrum.py",
        "difference[-(-3 * len(difference) // 4) :]",
        "difference[3 * len(difference) // 4 + 1 :]",
        "tests/evaluate/test_spectrum.py -k by_hand",
    ),
    Fault(
        "sliced Wasserstein: levels are not scaled up",
        "tfgans/evaluate/sliced_wasserstein.py",
        "yield current - 4.0 * _blur(spread)",
        "yield current - 2.0 * _blur(spread)",
        "tests/evaluate/test_scores.py -k pyramid",
    ),
    Fault(
        "stability: set against the oldest evaluation",
        "tfgans/evaluate/stability.py",
        "kept[max(before)]",
        "kept[min(before)]",
        "tests/evaluate/test_stability.py -k 'hand or again'",
    ),
    Fault(
        "duality gap: measured with what was learnt from",
        "tfgans/evaluate/duality.py",
        "parts = order[held_out:], order[:held_out]",
        "parts = order[learn // 2 :], order[:held_out]",
        "tests/evaluate/test_duality.py -k learnt",
    ),
    Fault(
        "duality gap: measured with the latents learnt from",
        "tfgans/evaluate/duality.py",
        "game.draws.assign(to_measure)",
        "game.draws.assign(to_learn)",
        "tests/evaluate/test_duality_latents.py",
    ),
    Fault(
        "raw weights: measured on all that may be",
        "tfgans/evaluate/evaluator.py",
        "count = min(self.num_samples, most)",
        "count = max(self.num_samples, most)",
        "tests/evaluate/test_reference_statistics.py -k another",
    ),
    Fault(
        "duality gap: rates as a schedule left them",
        "tfgans/evaluate/duality.py",
        'settings = optimizer.get_config() | ({} if rate is None else {"learning_rate": rate})',
        "settings = optimizer.get_config()",
        "tests/evaluate/test_duality.py -k afresh",
    ),
    Fault(
        "mode coverage: shares of the finite points",
        "tfgans/evaluate/coverage.py",
        "np.sum(good) / len(points)",
        "np.sum(good) / len(finite)",
        "tests/evaluate/test_coverage.py",
    ),
    Fault(
        "resizing: half a pixel off",
        "tfgans/evaluate/resizing.py",
        "half_pixel_centers=False",
        "half_pixel_centers=True",
        "tests/evaluate/test_resizing.py -k hand",
    ),
    Fault(
        "evaluations: images compared with, one at each end left out",
        "tfgans/evaluate/image_metrics.py",
        "np.linspace(0, dataset.reference_size() - 1, count)",
        "np.linspace(0, dataset.reference_size(), count, endpoint=False)",
        "tests/evaluate/test_spectrum.py -k evaluator",
    ),
    Fault(
        "alpha: features see what does not show",
        "tfgans/evaluate/features.py",
        "return opaque(images)",
        "return images",
        "tests/evaluate/test_shapes_and_alpha.py -k features",
    ),
]
