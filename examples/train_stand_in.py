"""Train a stand-in for the network of an example and write what `flows import` takes.

    python examples/train_stand_in.py examples/pixel_classifier.yaml build/examples
    python -m flows import build/examples/pixel_classifier.json build/examples/pixel_classifier.h5 \
        --inputs build/examples/pixel_classifier_inputs.npy \
        --outputs build/examples/pixel_classifier_outputs.npy
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main(record: str, folder: str) -> None:
    """Write <stem>.json, <stem>.h5, <stem>_inputs.npy and <stem>_outputs.npy."""
    from models.networks.dense_network import load_dense_network, stand_in

    file, out = Path(record), Path(folder)
    made = stand_in(load_dense_network(file), seed=1)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{file.stem}.json").write_text(made.network.to_json() + "\n", encoding="utf-8")
    made.network.save_weights(out / f"{file.stem}.h5")
    np.save(out / f"{file.stem}_inputs.npy", made.inputs)
    np.save(out / f"{file.stem}_outputs.npy", made.outputs)
    print(f"wrote {file.stem} to {out}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
