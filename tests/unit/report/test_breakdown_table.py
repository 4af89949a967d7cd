"""Where services' memory goes, as a table: one row adds up to what the service costs."""

from factories import MIB, SERVICES, make_images, make_memory, make_report, make_service
from onegig.model.service import Breakdown
from onegig.report import TABLES, html

PARTS = Breakdown(
    program_bytes=4 * MIB,
    libraries_bytes=2 * MIB,
    dependencies_bytes=11 * MIB,
    heap_bytes=30 * MIB,
    stacks_bytes=MIB // 8,
    files_bytes=0,
    shared_bytes=5 * MIB,
    unmapped_bytes=15 * MIB,
    kernel_bytes=MIB,
)
TABLE = """\
Where the memory of crypto-desk goes (MB)
  service  program  libraries  dependencies  heap  stacks  files  tmpfs  kernel  together
  risk         4.0        2.0          11.0  30.0     0.2    0.0   20.0     1.0      68.2
"""
TITLE = "Where the services' memory goes</h2>"


def test_a_table_of_the_services_that_were_looked_at() -> None:
    services = [make_service("risk", 14, breakdown=PARTS), make_service("quiet", 2)]
    report = make_report(make_memory(services), make_images(SERVICES))
    assert PARTS.pss_bytes == round(52.125 * MIB)
    assert TABLES["breakdown"](report) == TABLE
    assert TITLE in html.render(report)


def test_a_report_that_does_not_know_says_so() -> None:
    report = make_report(make_memory([make_service("risk", 14)]), make_images(SERVICES))
    assert TABLES["breakdown"](report).startswith("The report does not say where memory goes")
    assert TITLE not in html.render(report)
