"""Our results beside what others measured or found."""
