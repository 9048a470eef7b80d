"""What flips of single bits in a quantised encoder's stored weights do to the modules it sends."""
