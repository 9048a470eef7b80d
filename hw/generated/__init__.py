"""RTL with the weights wired in, made from the HLS model."""
