"""The numbers inside a model's networks, written for the pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.artefacts.validation import Validation
from flows.layout import ModelLayout
from hw.foundation.atomic_file import atomic_path

_MODULES = 2000


def write_network_values(
    layout: ModelLayout, networks: Mapping[str, Any], validation: Validation
) -> None:
    """Write weights, latents and layer outputs of `networks` for some of the validation modules.

    Arrays of network_values.npz, where <network> is `encoder` or `decoder`:
    weight.<network>.<layer>/<part>   weights as the layer computes with them.
    output.<network>.<layer>.edges, .counts, .zeros
                                      histogram of the layer's outputs over `modules` modules, in
                                      the order of the layers; zeros are not in the counts.
    latents                           (modules, m): the encoder's outputs.

    Args:
        networks: Keras models by name; `encoder` at least.
    """
    from models.networks.layer_outputs import layer_outputs, weights_in_use

    filled = np.flatnonzero(validation.calq.sum(axis=1) > 0)
    chosen = filled[:: -(-len(filled) // _MODULES) or 1]
    arrays: dict[str, npt.NDArray] = {}
    inputs = validation.to_images(validation.calq[chosen])
    for name in ("encoder", "decoder"):
        network = networks.get(name)
        if network is None:
            continue
        for weight, values in weights_in_use(network).items():
            arrays[f"weight.{name}.{weight}"] = values
        if not len(chosen):
            continue
        for layer, found in layer_outputs(network, inputs).items():
            key = f"output.{name}.{layer}"
            arrays[f"{key}.edges"] = found.edges
            arrays[f"{key}.counts"] = found.counts
            arrays[f"{key}.zeros"] = np.array(found.zeros)
        inputs = np.asarray(network.predict_on_batch(inputs))
        if name == "encoder":
            arrays["latents"] = inputs
    with atomic_path(layout.network_values) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
