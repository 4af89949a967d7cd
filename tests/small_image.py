"""An image of a few megabytes that every test with an engine may run."""

import os

SMALL_IMAGE = os.environ.get("ALPINE_IMAGE", "onegig-local/alpine:3.23")
