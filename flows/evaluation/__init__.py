"""What the evaluate stage measures and records."""
