"""What finished stages left: read, checked and typed in one place."""
