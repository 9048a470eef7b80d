"""One file a family of vendor tools."""
