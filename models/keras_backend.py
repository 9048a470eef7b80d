"""The one door to TensorFlow: Keras 2 (tf_keras), QKeras and their registered objects.

TensorFlow 2.21 brings Keras 3; QKeras 0.9 and hls4ml's QKeras reader speak Keras 2.  So this module
selects tf_keras before anything imports Keras, and enters it under the name `keras`, by whose
version hls4ml picks its reader.  Import Keras, TensorFlow, QKeras and hls4ml through here only.
"""

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

if "keras" in sys.modules and "tf_keras" not in sys.modules:
    raise ImportError("Keras 3 was imported before models.keras_backend; import this module first")


@contextmanager
def _start_up_chatter_held_back() -> Iterator[None]:
    """Keep TensorFlow's native lines on missing GPUs off the terminal, unless start-up fails."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            yield
        except BaseException:
            chatter.seek(0)
            os.write(terminal, chatter.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


with _start_up_chatter_held_back(), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tf_keras as keras

    sys.modules["keras"] = keras  # by whose version hls4ml picks its reader
    import qkeras
    import tensorflow as tf
    from tensorflow.python.autograph.core import config as autograph

    tf.config.list_physical_devices("GPU")  # here, since the first look at devices chatters too

# QKeras and the layers of this project need no rewriting of their Python into graphs, as those of
# Keras need none; AutoGraph would rewrite them whenever a network is built, six seconds each time
autograph.CONVERSION_RULES = (
    autograph.DoNotConvert("qkeras"),
    autograph.DoNotConvert("models"),
    *autograph.CONVERSION_RULES,
)

tf.get_logger().setLevel("ERROR")
# QKeras describes its quantisers as Keras describes constraints; Keras warns at every saved layer
warnings.filterwarnings("ignore", message="The `keras.constraints.serialize", module="tf_keras")
# initial values are not used where weights are read, and seeded where networks are trained
warnings.filterwarnings("ignore", message="The initializer .* is unseeded")

__all__ = ["keras", "qkeras", "tf"]
