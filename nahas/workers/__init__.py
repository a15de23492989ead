"""Workers: where a function runs that takes long, and what happens when one is lost."""
