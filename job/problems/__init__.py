"""What is to be learned: (source, target) examples and their splits."""
