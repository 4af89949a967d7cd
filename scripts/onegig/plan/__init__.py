"""What to do so that a stack fits: actions, options made of them, and their prices."""
