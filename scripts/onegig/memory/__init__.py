"""The box, what runs in it, and what its memory does."""
