"""The exact answer: every design of a joint space costed as the simulator costs it."""
