"""What a search is for: one design as a folder that stands without the study."""
