"""The network as hardware: number formats, targets, HLS conversion, tool drivers and reports.

This is the lowest layer: it imports none of the other folders, and its three foundation modules
(`errors`, `strict_config`, `atomic_file`) serve all of them.
"""
