"""Which packages only building, testing or checking needs: by name, or because only those need it.

The names are of what is widely used; a name that is missing shows as a runtime dependency, under
its own name, so it can be seen.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence

from onegig.images.packages.package import Package

_SYSTEM = (
    r".+-dev|.+-dev(el)?-\d+|.+-headers?(-.+)?|.+-static|.+-dbg|.+-dbgsym|.+-doc|\..+|"  # .virtual
    r"(?!gcc-\d+-base)(gcc|g\+\+|cpp|gfortran|clang|llvm|gnat|gdc|gccgo|tcc|cc1)([-\d.].*)?|"
    r"lib(gcc|stdc\+\+)-\d+-.+|"
    r"build-base|build-essential|binutils(-.+)?|lib(binutils|ctf-nobfd0|ctf0|gprofng0|sframe1)|"
    r"make|cmake(-data)?|ninja(-build|-is-really-ninja)?|meson|samurai|autoconf|automake|libtool|"
    r"m4|bison|flex|patch|pkgconf|pkg-config|pkgconf-bin|dpkg-dev|libdpkg-perl|fakeroot|libfakeroot|"
    r"gdb|valgrind|strace|ltrace|debhelper|swig|nasm|yasm|ccache|sccache|mold|lld|"
    r"rust|rustc|cargo|rustup|go|golang(-.+)?|openjdk\d*-jdk(-.+)?|openjdk-\d+-jdk(-.+)?|"
    r"default-jdk(-.+)?|maven|gradle|git|git-man|git-perl|mercurial(-common)?|subversion|"
    r"libsvn1|libserf-.+|npm|yarn(pkg)?|py3-(pip|setuptools|wheel|virtualenv)(-pyc)?|"
    r"python3-(pip|setuptools|wheel|venv|virtualenv|lib2to3|distutils)|python3(\.\d+)?-venv|"
    r"lib(mpc3|mpfr6|isl\d+|cc1-0|asan\d+|lsan0|tsan\d+|ubsan1|quadmath0|itm1|hwasan0)|"
    r"isl\d*|mpc1|mpfr4|fortify-headers|linux-libc-dev|libc-dev-bin|rpcsvc-proto"
)
_PIP = (
    r"pip|setuptools|wheel|build|hatchling|hatch|flit(-core)?|poetry(-.+)?|pdm|pipenv|virtualenv|"
    r"uv|pip-tools|pipdeptree|twine|tox(-.+)?|nox|pre-commit|cython|meson(-python)?|ninja|"
    r"cmake|scikit-build(-core)?|setuptools-(scm|rust)|maturin|pybind11|auditwheel|"
    r"pytest(-.+)?|iniconfig|hypothesis|coverage|unittest2|nose2?|mock|doublex|freezegun|"
    r"responses|respx|requests-mock|factory-boy|faker|testcontainers|moto|vcrpy|behave|"
    r"mutmut|robotframework(-.+)?|allure-.+|time-machine|"
    r"flake8(-.+)?|pycodestyle|pyflakes|mccabe|pylint(-.+)?|astroid|ruff|black|isort|autopep8|yapf|"
    r"bandit|pydocstyle|vulture|radon|xenon|codespell|interrogate|blue|pyupgrade|pycln|"
    r"mypy|pyright|basedpyright|pytype|pyre-check|types-.+|.+-stubs|"
    r"ipython(-.+)?|ipdb|pudb|pdbpp|debugpy|bpython|jupyter(-.+)?|jupyterlab(-.+)?|notebook|"
    r"ipykernel|nbconvert|nbformat|sphinx(-.+)?|sphinxcontrib-.+|mkdocs(-.+)?|pdoc3?|"
    r"line-profiler|memory-profiler|py-spy|scalene|snakeviz|cookiecutter|bumpversion|"
    r"bump2version|towncrier|commitizen|safety|pip-audit"
)
_NPM = (
    r"npm|corepack|yarn|pnpm|typescript|ts-node(-dev)?|tsx|tslint|@types/.+|jest(-.+)?|@jest/.+|"
    r"mocha|chai|sinon|vitest|@vitest/.+|ava|tap|karma(-.+)?|jasmine(-.+)?|cypress|playwright(-.+)?|"
    r"@playwright/.+|nyc|c8|istanbul(-.+)?|eslint(-.+)?|@eslint/.+|@typescript-eslint/.+|prettier|"
    r"stylelint(-.+)?|nodemon|webpack(-.+)?|vite|rollup|esbuild|@esbuild/.+|parcel|@babel/core|"
    r"@babel/(preset|plugin)-.+|husky|lint-staged|node-gyp|storybook|@storybook/.+|nx|turbo|lerna"
)
_NAMES = {
    "apk": re.compile(_SYSTEM),
    "dpkg": re.compile(_SYSTEM),
    "pip": re.compile(_PIP),
    "npm": re.compile(_NPM),
}
_RUNTIMES = re.compile(
    r"python3(\.\d+)?(-minimal|-pyc|-pycache-pyc.*)?|pyc|python2.*|libpython[23].*|pypy.*|"
    r"nodejs(-.+)?|libnode\d+|ruby(\d.*|-libs)?|libruby.*|openjdk-?\d+-jre(-.+)?|default-jre.*|"
    r"java-common|php\d*([.-].*)?|lua5.*|dotnet.*-runtime.*|aspnetcore-runtime.*|erlang.*"
)


_Users = defaultdict[Package, list[Package]]


def is_runtime(package: Package) -> bool:
    """Whether a package of the distribution is a language's interpreter or virtual machine."""
    return package.kind in ("apk", "dpkg") and bool(_RUNTIMES.fullmatch(package.name))


def is_development_name(kind: str, name: str) -> bool:
    """Whether a package of that kind ("apk", "dpkg", "pip", "npm") has such a name."""
    return bool(_NAMES[kind].fullmatch(name.lower().replace("_", "-")))


def development_packages(
    packages: Sequence[Package], kept: Collection[Package] = ()
) -> frozenset[Package]:
    """Those of such a name, and what nobody asked for and only they need.

    `kept` are never among the latter: the distribution's own. A Python or Node package that is
    needed by what runs is needed, whatever its name: pip resolves to setuptools now and then.
    """
    needed_by, wanted_by = _users(packages)
    found = {package for package in packages if _is_development(package)}
    while excused := {one for one in found if _is_excused(one, needed_by[one], found)}:
        found -= excused
    candidates = {one for one in packages if not one.asked and one not in kept}
    users = {one: needed_by[one] or wanted_by[one] for one in candidates}
    while more := {one for one in candidates - found if _only_for(users[one], found)}:
        found |= more
    return frozenset(found)


def _is_development(package: Package) -> bool:
    return package.development or is_development_name(package.kind, package.name)


def _is_excused(package: Package, users: Collection[Package], found: Collection[Package]) -> bool:
    if package.kind not in ("pip", "npm") or package.development:
        return False
    return any(user not in found for user in users)


def _only_for(users: Collection[Package], found: Collection[Package]) -> bool:
    return bool(users) and all(user in found for user in users)


def _users(packages: Sequence[Package]) -> tuple[_Users, _Users]:
    """Of each package, the others that need it, and those that do for an extra."""
    answering: defaultdict[tuple[str, str], list[Package]] = defaultdict(list)
    for package in packages:
        for name in package.answers_to:
            answering[package.kind, name].append(package)
    needed_by: _Users = defaultdict(list)
    wanted_by: _Users = defaultdict(list)
    for package in packages:
        for users, names in ((needed_by, package.needs), (wanted_by, package.options)):
            for other in (one for name in names for one in answering[package.kind, name]):
                if other is not package:
                    users[other].append(package)
    return needed_by, wanted_by
