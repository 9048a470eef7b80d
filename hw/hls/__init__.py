"""The network as HLS C++."""
