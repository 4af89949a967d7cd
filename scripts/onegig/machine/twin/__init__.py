"""The virtual machine that stands for the tier's machine."""
