"""Writes the digits classifier as TensorFlow SavedModels: export_saved_models.py WEIGHTS.npz
FOLDER.

Runs in the environment of requirements-tfserving.txt. FOLDER/<model>/<version>, as TensorFlow
Serving reads them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

SIDE = 8


class Digits(tf.Module):
    def __init__(self, weights: Path) -> None:
        super().__init__()
        with np.load(weights) as arrays:
            self.layers = [
                tf.Variable(arrays[name].astype(np.float32)) for name in ("w0", "b0", "w1", "b1")
            ]

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE * SIDE], tf.float32, name="pixels")])
    def rows(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = self._probabilities(pixels)
        return {"label": tf.argmax(probabilities, axis=1), "probabilities": probabilities}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def pictures(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        pixels = tf.map_fn(
            self._decode, image_bytes, fn_output_signature=tf.TensorSpec([SIDE * SIDE], tf.float32)
        )
        background = tf.zeros([tf.shape(pixels)[0], 1])
        probabilities = tf.concat([background, self._probabilities(pixels)], axis=1)
        return {"classes": tf.argmax(probabilities, axis=1), "probabilities": probabilities}

    def _decode(self, jpeg: tf.Tensor) -> tf.Tensor:
        picture = tf.image.decode_jpeg(jpeg, channels=1)
        return tf.reshape(
            tf.image.resize(picture, [SIDE, SIDE], method="area") / 255.0, [SIDE * SIDE]
        )

    def _probabilities(self, pixels: tf.Tensor) -> tf.Tensor:
        w0, b0, w1, b1 = self.layers
        return tf.nn.softmax(tf.nn.relu(pixels @ w0 + b0) @ w1 + b1)


def main() -> None:
    weights, folder = Path(sys.argv[1]), Path(sys.argv[2])
    model = Digits(weights)
    both = {"serving_default": model.rows, "pictures": model.pictures}
    tf.saved_model.save(model, str(folder / "digits" / "1"), signatures=both)
    tf.saved_model.save(model, str(folder / "pictures" / "1"), signatures=model.pictures)


main()
