"""What upsets of stored weights do to a model: measured, drawn, and written for later stages."""
