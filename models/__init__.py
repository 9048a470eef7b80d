"""The network as mathematics: data set, geometry, zoo, layers, losses, training, quality."""
