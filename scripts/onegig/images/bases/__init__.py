"""The base that an image is built on: what is known of it, and how many layers came with it."""
