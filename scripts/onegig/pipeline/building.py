"""The second step: every image of the stack is on the engine."""

from onegig.engine.bake import absent_images, build_images, image_ids, platforms_of, pull_images
from onegig.engine.owned import Run
from onegig.images.cache import open_cache
from onegig.model.budgets import Budgets
from onegig.model.stack import Stack
from onegig.progress import Progress


def build(stack: Stack, budgets: Budgets, current: Run, progress: Progress) -> None:
    """Build every image of the stack that has a build section; pull those that the engine lacks."""
    with progress.step(f"build {sum(s.builds for s in stack.services)} images") as say:
        inputs = read_build_inputs(stack, load_environment(budgets))
        seconds = build_images(stack, current, say=say, inputs=inputs)
        cache = open_cache(say)
        for image, image_id in image_ids(seconds).items():
            cache.keep_build(image_id, seconds[image])
    absent = absent_images(stack)
    if absent:
        with progress.step(f"pull {len(absent)} images") as say:
            pull_images(absent, say, platforms_of(stack))
