"""What a finished run hands over: its generator as a Keras file and as a SavedModel, and the parts of its model."""

import json

from tfgans import files, readers
from tfgans.gan.keras_files import refuse_unwritable

_GENERATOR = "generator.keras"
_STEP = "assets.extra/step.txt"  # in export/: the step it is of, written last


def refuse_beforehand(model, folder):
    """Raises ConfigError if the generator of a run that has not begun could not be written at its end."""
    refuse_unwritable(model.generator, folder / _GENERATOR)


def hand_over(model, folder, step):
    """Writes the generators of `step` into a run's folder."""
    model.save_generator(folder / _GENERATOR)
    if model.ema_generator is not None:
        model.save_generator(folder / "generator_raw.keras", weights="raw")
    for name in model.part_names():
        network = model.part(name)
        model.save_generator(folder / f"generator_{name}.keras", network)
        report = model.part_report(name, network)
        if report is not None:
            text = json.dumps(report, indent=1)
            files.write_text(folder / f"generator_{name}.json", text + "\n")
    model.export(folder / "export")
    path = folder / "export" / _STEP
    path.parent.mkdir(exist_ok=True)
    files.write_text(path, f"{step}\n")


def handed_over(folder):
    """The step of the generator that was handed over, or None."""
    text = readers.text_or_none(folder / "export" / _STEP)
    return int(text) if text and text.strip().isdecimal() else None
