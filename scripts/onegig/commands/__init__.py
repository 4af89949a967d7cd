"""Commands that speak to GitHub, a module each: parse, build options, call one function."""
