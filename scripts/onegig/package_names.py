"""Names of packages: how PyPI compares them, and which ones are development tools.

The names are those of widely used tools. A development tool that is missing here is reported as a
runtime dependency, under its own name, so that it can be seen.
"""

import re

_SYSTEM = re.compile(
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
_PYTHON = re.compile(
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
_NODE = re.compile(
    r"npm|corepack|yarn|pnpm|typescript|ts-node(-dev)?|tsx|tslint|@types/.+|jest(-.+)?|@jest/.+|"
    r"mocha|chai|sinon|vitest|@vitest/.+|ava|tap|karma(-.+)?|jasmine(-.+)?|cypress|playwright(-.+)?|"
    r"@playwright/.+|nyc|c8|istanbul(-.+)?|eslint(-.+)?|@eslint/.+|@typescript-eslint/.+|prettier|"
    r"stylelint(-.+)?|nodemon|webpack(-.+)?|vite|rollup|esbuild|@esbuild/.+|parcel|@babel/core|"
    r"@babel/(preset|plugin)-.+|husky|lint-staged|node-gyp|storybook|@storybook/.+|nx|turbo|lerna"
)
_LANGUAGES = {"pip": _PYTHON, "npm": _NODE}


def is_system(kind: str) -> bool:
    """Return whether packages of a kind such as "apk" belong to a distribution, not a language."""
    return kind not in _LANGUAGES


def is_development_name(kind: str, name: str) -> bool:
    """Return whether a package of that kind ("apk", "dpkg", "pip", "npm") is a development tool."""
    names = _LANGUAGES.get(kind, _SYSTEM)
    return bool(names.fullmatch(name.lower().replace("_", "-")))


def normalize_name(name: str) -> str:
    """Return a distribution's name as PyPI compares it (packaging.python.org, "normalization")."""
    return re.sub(r"[-_.]+", "-", name).lower()
