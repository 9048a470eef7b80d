"""How well modules come back."""
