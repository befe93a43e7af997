"""Results held against those of an earlier batch: what got worse, what got better, and by what test."""
