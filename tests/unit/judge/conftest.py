import pytest

from factories import SERVICES, make_images, make_memory, make_service
from judging import BUDGETS, TODAY, Judge
from onegig.judge.verdict import judge
from onegig.model.budgets import Budgets
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.tiers import Tier
from onegig.model.verdict import Verdict


@pytest.fixture
def judged() -> Judge:
    """The verdict over the reference stack, which fits; a test replaces what it is about.

    Where it is about images, their services take 10 MB each.
    """

    def verdict(
        *,
        budgets: Budgets = BUDGETS,
        images: ImagesReport | Missing | None = None,
        memory: MemoryReport | Missing | None = None,
        tier: Tier | None = None,
    ) -> Verdict:
        sizes: dict[str, float] = dict(SERVICES)
        if isinstance(images, ImagesReport):
            sizes = {name: 10 for image in images.images for name in image.services}
        services = [make_service(name, rss) for name, rss in sizes.items()]
        return judge(
            budgets,
            make_images(SERVICES) if images is None else images,
            make_memory(services) if memory is None else memory,
            tier,
            today=TODAY,
        )

    return verdict
