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
    """The verdict over the reference stack, which fits; a test replaces what it is about."""

    def verdict(
        *,
        budgets: Budgets = BUDGETS,
        images: ImagesReport | Missing | None = None,
        memory: MemoryReport | Missing | None = None,
        tier: Tier | None = None,
    ) -> Verdict:
        services = [make_service(name, rss) for name, rss in SERVICES.items()]
        return judge(
            budgets,
            make_images(SERVICES) if images is None else images,
            make_memory(services) if memory is None else memory,
            tier,
            today=TODAY,
        )

    return verdict
