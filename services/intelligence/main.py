"""Runs the intelligence services that DESK_SERVICES names."""

from desk.host import main

if __name__ == "__main__":
    raise SystemExit(main())
