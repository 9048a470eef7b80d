"""Drivers of the open tools."""
