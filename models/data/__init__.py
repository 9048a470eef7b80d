"""Modules: reading, generating, describing them."""
