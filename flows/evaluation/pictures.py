"""All pictures of a model, from the files that its stages have left."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from flows.layout import DataLayout, ModelLayout
from reports.metrics import Metric
from reports.pictures.algorithms import (
    algorithms_emd_picture,
    algorithms_profile_picture,
    budget_picture,
)
from reports.pictures.arithmetic import arithmetic_picture
from reports.pictures.data import data_picture
from reports.pictures.displays import display_picture
from reports.pictures.distributions import (
    before_and_after_picture,
    binned_emd_picture,
    emd_picture,
    measures_picture,
)
from reports.pictures.evaluation import Evaluation, read_evaluation
from reports.pictures.gallery import Gallery, NotDrawn, gather, has_gallery, read_gallery
from reports.pictures.network import (
    latents_picture,
    outputs_picture,
    read_network_values,
    weights_picture,
)
from reports.pictures.picture import MissingValuesError, Picture
from reports.pictures.profiles import (
    Coordinate,
    charge_of,
    eta_of,
    measures_profile_picture,
    occupancy_of,
    profile_picture,
)
from reports.pictures.training import training_picture

_Draw = tuple[str, Callable[[], Picture]]


def report_gallery(
    layout: ModelLayout, data: DataLayout, distances: Mapping[str, float], evaluation: str | None
) -> Gallery:
    """What the evaluation and the upsets stage drew, the course of the training, and the data set.

    Args:
        distances: of the data set's distributions to the published ones.
        evaluation: why there is none; None where there is one.

    Raises:
        InputError: a file is damaged.
    """
    name = layout.folder.name
    if evaluation:
        drawn = Gallery(not_drawn=(NotDrawn("Compression quality", evaluation),))
    elif not has_gallery(layout.plots):
        reason = f"the evaluation drew none (--skipPlot): make clean-evaluate evaluate MODEL={name}"
        drawn = Gallery(not_drawn=(NotDrawn("Compression quality", reason),))
    else:
        drawn = read_gallery(layout.plots)
    draws: list[_Draw] = [
        ("Training", partial(_training, layout)),
        ("Occupancy and charge of the data", partial(_data, data, distances)),
    ]
    if layout.metrics("upsets").is_file() and has_gallery(layout.upset_plots):
        drawn += read_gallery(layout.upset_plots)
    return drawn + gather(draws)


def _training(layout: ModelLayout) -> Picture:
    if not layout.history.is_file():  # an imported model
        raise MissingValuesError(f"{layout.folder.name} has no history of its training")
    return training_picture(layout.history, layout.folder.name)


def _data(data: DataLayout, distances: Mapping[str, float]) -> Picture:
    if not data.histograms.is_file():
        raise MissingValuesError(f"no {data.histograms}: make data")
    return data_picture(data.histograms, distances)


def evaluation_gallery(layout: ModelLayout, metrics: Sequence[Metric]) -> Gallery:
    """Compression quality, other algorithms, event displays, and the numbers in the networks.

    Args:
        metrics: of the evaluation.

    Raises:
        InputError: a file is damaged.
    """
    if not layout.evaluation.is_file():
        name = layout.folder.name
        no_decoder = layout.network("encoder").is_file() and not layout.network("decoder").is_file()
        reason = (
            f"{name} has no decoder, so nothing comes back to be compared"
            if no_decoder
            else f"not evaluated: make evaluate MODEL={name}"
        )
        return Gallery(not_drawn=(NotDrawn("Compression quality", reason),))
    return gather(_quality(layout, metrics)) + _network(layout)


def _quality(layout: ModelLayout, metrics: Sequence[Metric]) -> list[_Draw]:
    name, found = layout.folder.name, read_evaluation(layout.evaluation)

    def against(
        picture: Callable[[Evaluation, Coordinate, str], Picture],
        coordinate: Callable[[Evaluation], Coordinate],
    ) -> Callable[[], Picture]:
        return lambda: picture(found, coordinate(found), name)

    draws: list[_Draw] = [
        ("Earth mover's distance", partial(emd_picture, found, name)),
        ("Distance in bins of occupancy", partial(binned_emd_picture, found, name)),
        ("Distance against occupancy", against(profile_picture, occupancy_of)),
        ("Distance against charge", against(profile_picture, charge_of)),
        ("Distance against pseudorapidity", against(profile_picture, eta_of)),
        ("All measures", partial(measures_picture, found, name)),
        ("All measures against occupancy", against(measures_profile_picture, occupancy_of)),
        ("All measures against charge", against(measures_profile_picture, charge_of)),
        ("Occupancy and charge before and after", partial(before_and_after_picture, found, name)),
        ("Distances of all algorithms", partial(algorithms_emd_picture, found, name)),
        ("All algorithms against occupancy", against(algorithms_profile_picture, occupancy_of)),
        ("All algorithms against charge", against(algorithms_profile_picture, charge_of)),
        ("Distance and bits sent", partial(budget_picture, metrics, name)),
        ("Event displays", partial(display_picture, found, "sample", name)),
        ("Event displays, worst", partial(display_picture, found, "worst", name)),
    ]
    if layout.arithmetic.is_file():  # only of a model in the chip's arithmetic
        title = "Training and the chip's arithmetic"
        draws.append((title, partial(arithmetic_picture, layout.arithmetic, name)))
    return draws


def _network(layout: ModelLayout) -> Gallery:
    name = layout.folder.name
    if not layout.network_values.is_file():
        reason = f"no {layout.network_values}; evaluate the model anew: make evaluate MODEL={name}"
        return Gallery(not_drawn=(NotDrawn("Weights, latents and layer outputs", reason),))
    found = read_network_values(layout.network_values)
    draws: list[_Draw] = [("Latents", lambda: latents_picture(found, name))]
    for part in ("encoder", "decoder"):
        if part == "encoder" or layout.network(part).is_file():
            draws += [
                (f"Weights of the {part}", partial(weights_picture, found, part, name)),
                (f"Layer outputs of the {part}", partial(outputs_picture, found, part, name)),
            ]
    return gather(draws)
