"""The one door to TensorFlow: Keras 2 (tf_keras), QKeras and their registered objects.

TensorFlow 2.21 brings Keras 3; QKeras 0.9 and hls4ml's QKeras reader speak Keras 2.  So this module
selects tf_keras before anything imports Keras, and enters it under the name `keras`, by whose
version hls4ml picks its reader.  Import Keras, TensorFlow, QKeras and hls4ml through here only.
"""

import os
import sys
import warnings

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

if "keras" in sys.modules and "tf_keras" not in sys.modules:
    raise ImportError("Keras 3 was imported before models.keras_backend; import this module first")

import tf_keras as keras

sys.modules["keras"] = keras

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import qkeras
    import tensorflow as tf

tf.get_logger().setLevel("ERROR")
# QKeras describes its quantisers as Keras describes constraints; Keras warns at every saved layer
warnings.filterwarnings("ignore", message="The `keras.constraints.serialize", module="tf_keras")

__all__ = ["keras", "qkeras", "tf"]
