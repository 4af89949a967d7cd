"""The release of an operating system, as far as it decides what is known of its packages.

trivy's database has advisories for Alpine 3.23, Debian 13 or Ubuntu 24.04: smaller steps (3.23.1,
13.2) and the dates of distributions without releases change nothing. This is how its detectors look
them up (github.com/aquasecurity/trivy, pkg/detector/ospkg).
"""

_BY_MAJOR = frozenset(("alma", "amazon", "centos", "debian", "fedora", "oracle", "redhat", "rocky"))
_LONGEST_MAJOR = 5  # digits; more are a date


def release_of(family: str, name: str) -> str:
    """Such as "alpine 3.23" of "alpine" and "3.23.0"; the family alone where it has no releases."""
    number = (name.split() or [""])[0].split(".")
    if not number[0] or len(number[0]) > _LONGEST_MAJOR:
        return family
    return f"{family} {'.'.join(number[: 1 if family in _BY_MAJOR else 2])}"
