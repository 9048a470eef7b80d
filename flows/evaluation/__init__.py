"""What the evaluate step measures and records."""
