"""Encoders and decoders as Keras networks."""
