"""Images: built, then read from the engine and accounted for layer by layer."""
