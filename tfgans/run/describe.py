"""The table that `describe --summary` prints."""

from tfgans.evaluate import cost


def table(facts, model):
    """A readable table of `build.describe`: every layer with its parameters and multiply-accumulates.

    Also what the run costs, where that is known, and the classes of a run.
    """
    lines = [f"{facts['model']}: methods {', '.join(facts['methods']) or 'none'}"]
    for name, network in (("generator", model.generator), ("discriminator", model.discriminator)):
        lines += ["", f"{name}: {facts[name]['parameters']:,} parameters, {facts[name]['macs']:,} MACs"]
        rows = cost.layer_costs(network)
        width = max([len(row.name) for row in rows], default=0)
        for row in rows:
            lines.append(f"  {row.name:<{width}}  {row.parameters:>12,}  {row.macs:>16,}")
    if "training" in facts:
        spent, unit = facts["training"], "outer steps" if model.on_halves else "generator updates"
        lines += [
            "",
            f"training, {spent['steps']:,} {unit}: {spent['real_images']:,} real images, "
            f"{spent['training_flops']:.3g} floating-point operations "
            f"({spent['generator_flops']:.3g} by the generator's forward for each real image alone)",
        ]
    if "measured" in facts:
        lines += ["", _measured(facts["measured"])]
    if "classes" in facts:
        names, counts = facts["classes"]["names"], facts["classes"]["counts"]
        lines += ["", f"{len(counts)} classes, with so many training images:"]
        lines += [f"  {k}  {repr(names[k]) if names else ''}  {count:,}" for k, count in enumerate(counts)]
    return "\n".join(lines)


def _measured(found):
    text = (
        f"here: {found['seconds_per_step']:.3g} s a step after {found['compile_seconds']:.0f} s of compiling"
    )
    if "hours" in found:
        text += f", {found['hours']:.3g} hours in all, without evaluations"
    gpu = f" and {found['peak_gpu_memory_gb']:.1f} GB of the GPU's" if "peak_gpu_memory_gb" in found else ""
    return f"{text}; {found['peak_memory_gb']:.1f} GB of memory{gpu}"
