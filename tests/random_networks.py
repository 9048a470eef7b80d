"""Random small Keras networks over all layers, settings and quantisers that are read.

Each follows from a number, so that one that fails can be made again.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator


def random_network(seed: int) -> Any:
    """A Keras network with random layers and weights."""
    from models.keras_backend import keras

    rng = np.random.default_rng(seed)
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed % (1 << 31))
    shapes = [_random_shape(rng) for _ in range(1 if rng.random() < 0.8 else 2)]
    inputs = [keras.Input(shape, name=f"input_{index}") for index, shape in enumerate(shapes)]
    branches = [_layers(_plain_quantiser(rng)(x), rng, int(rng.integers(0, 3))) for x in inputs]
    if len(branches) == 1 and rng.random() < 0.3:
        branches.append(branches[0])
    x = branches[0]
    if len(branches) > 1:
        if branches[0].shape[1:] == branches[1].shape[1:]:
            x = _merge(rng)(branches)
        else:
            x = keras.layers.Concatenate()([keras.layers.Flatten()(b) for b in branches])
    x = _layers(x, rng, int(rng.integers(1, 3)))
    if rng.random() < 0.6:
        if len(x.shape) > 2:
            x = keras.layers.Flatten()(x)
        x = _dense(rng)(x)
        x = _quantiser(rng)(x)
    if rng.random() < 0.1:
        x = _used_twice(rng, x)
    outputs = [x, *branches[:1]] if rng.random() < 0.1 else [x]
    network = keras.Model(inputs, outputs)
    for layer in network.layers:
        layer.set_weights([_random_weight(rng, w) for w in layer.weights])
    return network


def random_inputs(network: Any, count: int, seed: int) -> np.ndarray:
    """Numbers of all inputs, shape (count, numbers): on and off the grid, and beyond the range."""
    rng = np.random.default_rng(seed)
    size = sum(int(np.prod(tensor.shape[1:])) for tensor in network.inputs)
    scale = 2.0 ** rng.integers(-3, 4, (count, 1))
    values = rng.normal(0, 1, (count, size)) * scale
    values[::2] = np.rint(values[::2] * 16) / 16
    return values.astype(np.float32)


def _random_shape(rng: Rng) -> tuple[int, ...]:
    match int(rng.integers(0, 4)):
        case 0:
            return (int(rng.integers(2, 9)),)
        case 1:
            return (int(rng.integers(4, 9)), int(rng.integers(1, 3)))
    return (int(rng.integers(4, 7)), int(rng.integers(4, 7)), int(rng.integers(1, 3)))


def _random_weight(rng: Rng, weight: Any) -> np.ndarray:
    name, shape = weight.name, tuple(weight.shape)
    if "iteration" in name:
        return np.zeros(shape)
    if "variance" in name or "gamma" in name:
        return rng.uniform(0.3, 2, shape)
    return rng.normal(0, 0.7, shape)


def _pick(rng: Rng, *choices: Any) -> Any:
    return choices[int(rng.integers(0, len(choices)))]


def _plain_quantiser(rng: Rng) -> Any:
    from models.keras_backend import qkeras

    bits, integer = int(rng.integers(2, 7)), int(rng.integers(0, 4))
    symmetric = int(rng.integers(0, 2))
    return qkeras.QActivation(
        _pick(
            rng,
            f"quantized_bits({bits},{integer},{symmetric},alpha=1)",
            f"quantized_bits({bits},{integer},alpha=1,keep_negative=0)",
            f"quantized_relu({bits},{integer})",
        )
    )


def _quantiser(rng: Rng) -> Any:
    from models.keras_backend import qkeras

    bits = int(rng.integers(2, 7))
    special = (
        "quantized_relu(6,2,negative_slope=0.25)",
        f"quantized_tanh({bits})",
        f"quantized_tanh({bits},symmetric=True)",
        f"quantized_sigmoid({bits})",
        "quantized_bits(1,0,alpha=1)",
        "quantized_bits(4,1,alpha=0.5)",
        "binary(alpha=1)",
        "ternary(alpha=1,threshold=0.4)",
    )
    if rng.random() < 0.3:
        return qkeras.QActivation(_pick(rng, *special))
    return _plain_quantiser(rng)


def _weights(rng: Rng) -> str:
    bits = int(rng.integers(2, 6))
    return _pick(
        rng,
        f"quantized_bits({bits},0,alpha=1)",
        f"quantized_bits({bits},1,1,alpha=1)",
        f"quantized_bits({bits},0,1,alpha='auto_po2')",
        "quantized_bits(1,0,alpha=1)",
        "quantized_po2(3,max_value=1)",
        "ternary(alpha=1,threshold=0.3)",
        "binary(alpha=1)",
        "binary(alpha='auto_po2')",
    )


def _dense(rng: Rng) -> Any:
    from models.keras_backend import qkeras

    return qkeras.QDense(
        int(rng.integers(1, 5)),
        kernel_quantizer=_weights(rng),
        bias_quantizer="quantized_bits(5,1,alpha=1)",
        use_bias=bool(rng.random() < 0.8),
    )


def _used_twice(rng: Rng, x: Any) -> Any:
    """The results of a network that is a layer, and that is used twice."""
    from models.keras_backend import keras, qkeras

    inner_input = keras.Input(x.shape[1:])
    dense = qkeras.QDense(x.shape[-1], kernel_quantizer=_weights(rng), use_bias=False)
    inner = keras.Model(inner_input, _plain_quantiser(rng)(dense(inner_input)))
    return inner(inner(x))


def _merge(rng: Rng) -> Any:
    from models.keras_backend import keras

    names = ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average", "Concatenate")
    return getattr(keras.layers, _pick(rng, *names))()


def _layers(x: Any, rng: Rng, count: int) -> Any:
    for _ in range(count):
        rank = len(x.shape) - 1
        makers = {1: _OF_VECTORS, 2: _OF_SEQUENCES, 3: _OF_IMAGES}[rank]
        layer, rounds = _pick(rng, *makers)(rng, x)
        try:
            x = layer(x)
        except ValueError:  # it does not fit what is left of the image
            continue
        if rounds or rng.random() < 0.3:
            x = _quantiser(rng)(x)
    return x


_Maker = Callable[[Rng, Any], tuple[Any, bool]]  # the layer, and whether numbers must be rounded


def _keras(name: str, *, rounds: bool = False, **choices: Any) -> _Maker:
    """A layer of Keras with settings drawn from their choices."""

    def make(rng: Rng, x: Any) -> tuple[Any, bool]:
        from models.keras_backend import keras

        settings = {key: _pick(rng, *values) for key, values in choices.items()}
        return getattr(keras.layers, name)(**settings), rounds

    return make


def _qkeras(name: str, *, rounds: bool = False, **choices: Any) -> _Maker:
    """A layer of QKeras with settings drawn from their choices."""

    def make(rng: Rng, x: Any) -> tuple[Any, bool]:
        from models.keras_backend import qkeras

        settings = {key: _pick(rng, *values) for key, values in choices.items()}
        return getattr(qkeras, name)(**settings), rounds

    return make


def _convolution(name: str) -> _Maker:
    def make(rng: Rng, x: Any) -> tuple[Any, bool]:
        from models.keras_backend import qkeras

        extent = min(x.shape[1:-1])
        size = int(rng.integers(1, min(3, extent) + 1))
        dilated = rng.random() < 0.2 and 2 * size - 1 <= extent
        settings: dict[str, Any] = {
            "kernel_size": size,
            "strides": 1 if dilated else int(rng.integers(1, 3)),
            "padding": _pick(rng, "same", "valid"),
            "bias_quantizer": "quantized_bits(5,1,alpha=1)",
            "dilation_rate": 2 if dilated else 1,
        }
        if name.startswith("QDepthwise"):
            settings |= {"depthwise_quantizer": _weights(rng)}
            settings |= {"depth_multiplier": int(rng.integers(1, 3))}
        elif name.startswith("QSeparable"):
            settings |= {"depthwise_quantizer": _weights(rng), "filters": int(rng.integers(1, 4))}
            settings |= {"pointwise_quantizer": _weights(rng)}
        else:
            settings |= {"kernel_quantizer": _weights(rng), "filters": int(rng.integers(1, 4))}
            if name == "QConv2D" and x.shape[-1] == 2 and rng.random() < 0.3:
                settings |= {"filters": 2 * settings["filters"], "groups": 2}
        if name.endswith("Batchnorm"):
            settings.pop("dilation_rate")
        if rng.random() < 0.2 and not name.endswith("Batchnorm"):
            settings["activation"] = "quantized_relu(5,2)"
        return getattr(qkeras, name)(**settings), False

    return make


def _activation(rng: Rng, x: Any) -> tuple[Any, bool]:
    return _quantiser(rng), False


def _dense_layer(rng: Rng, x: Any) -> tuple[Any, bool]:
    return _dense(rng), False


_ANYWHERE: tuple[_Maker, ...] = (
    _activation,
    _dense_layer,
    _keras("ReLU"),
    _keras("ReLU", max_value=[1.0, 1.5], negative_slope=[0.0, 0.25]),
    _keras("ReLU", rounds=True, negative_slope=[0.3]),
    _keras("LeakyReLU", rounds=True, alpha=[0.125, 0.2]),
    _keras("Activation", rounds=True, activation=["hard_sigmoid"]),
    _qkeras("QActivation", activation=["hard_tanh"]),
    _keras("Activation", activation=["relu", "linear"]),
    _keras("BatchNormalization", rounds=True),
    _qkeras("QBatchNormalization", rounds=True),
    _keras("Dropout", rate=[0.2]),
    _keras("AlphaDropout", rate=[0.2]),
    _keras("GaussianDropout", rate=[0.2]),
    _keras("GaussianNoise", stddev=[0.2]),
    _keras("ActivityRegularization", l1=[0.1]),
)
_OF_VECTORS = _ANYWHERE
_AVERAGE = "quantized_bits(6,0,1,alpha=1)"  # of the reciprocal that sums are multiplied by
_OF_SEQUENCES = (
    *_ANYWHERE,
    _convolution("QConv1D"),
    _convolution("QSeparableConv1D"),
    _keras("SpatialDropout1D", rate=[0.2]),
    _keras("MaxPooling1D", pool_size=[2, 3], padding=["same", "valid"]),
    _keras("AveragePooling1D", rounds=True, pool_size=[2, 3], padding=["same", "valid"]),
    _keras("GlobalMaxPooling1D"),
    _keras("GlobalAveragePooling1D", rounds=True),
    _keras("ZeroPadding1D", padding=[1, (0, 2)]),
    _keras("Cropping1D", cropping=[(1, 0)]),
    _keras("UpSampling1D", size=[2]),
    _keras("Permute", dims=[(2, 1)]),
    _keras("Flatten"),
)
_OF_IMAGES = (
    *_ANYWHERE,
    _convolution("QConv2D"),
    _convolution("QConv2D"),
    _convolution("QDepthwiseConv2D"),
    _convolution("QSeparableConv2D"),
    _convolution("QConv2DBatchnorm"),
    _convolution("QDepthwiseConv2DBatchnorm"),
    _keras("SpatialDropout2D", rate=[0.2]),
    _qkeras("QAveragePooling2D", average_quantizer=[_AVERAGE], pool_size=[2, (1, 3)]),
    _qkeras("QGlobalAveragePooling2D", average_quantizer=[_AVERAGE]),
    _keras("MaxPooling2D", pool_size=[2, (1, 2)], padding=["same", "valid"], strides=[1, 2]),
    _keras("AveragePooling2D", rounds=True, pool_size=[2, (1, 3)], padding=["same", "valid"]),
    _keras("GlobalMaxPooling2D"),
    _keras("GlobalAveragePooling2D", rounds=True, keepdims=[False, True]),
    _keras("ZeroPadding2D", padding=[1, ((0, 1), (2, 0))]),
    _keras("Cropping2D", cropping=[((1, 0), (0, 1))]),
    _keras("UpSampling2D", size=[2, (1, 2)]),
    _keras("Permute", dims=[(3, 1, 2)]),
    _keras("Reshape", target_shape=[(-1, 1)]),
    _keras("Flatten"),
)
