"""Hardware targets, one YAML file each."""
