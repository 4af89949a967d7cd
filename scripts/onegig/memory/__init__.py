"""The box, what runs in it, and what its memory does. The sampler's modules need only the standard library."""
