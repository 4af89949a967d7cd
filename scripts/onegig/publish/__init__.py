"""What leaves the machine: the gate's artifact, the comment, the check, the data branch."""
