"""What training and importing a model share."""
