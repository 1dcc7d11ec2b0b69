"""From a source to the training set that a method wants."""

from ganvas.config import Settings
from ganvas.data.layouts import recognise, split_off
from ganvas.data.one_domain import ManyDomains, OneDomain
from ganvas.data.paired import Paired
from ganvas.data.sources import open_source
from ganvas.data.training_set import Reading, TrainingSet
from ganvas.data.unpaired import Unpaired

KINDS: dict[str, type[TrainingSet]] = {
    "unpaired": Unpaired,
    "paired": Paired,
    "pictures": OneDomain,
    "domains": ManyDomains,
}


def open_training_set(
    kind: str,
    config: Settings,
    reading: Reading | None = None,
) -> TrainingSet:
    """Read and check all pictures of the settings' source.

    Raises:
        InputError: there are none, they lie otherwise than is wanted, or cannot be used.
    """
    layout = recognise(open_source(config.data, config.load_width_height))
    if config.hold_out:
        layout, _ = split_off(layout, config.hold_out, config.data)
    return KINDS[kind](config, layout, reading)
