"""The machine that a stack is booted on: a box or a twin, sampled and under load."""
