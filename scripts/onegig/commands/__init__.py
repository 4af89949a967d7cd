"""The commands, thin: parse, build options, call one function."""
