"""Building images: bake, its builder and cache, pulling, and spreading the work over machines."""
