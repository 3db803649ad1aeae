"""What the flips of all people come to: a history a person, and sums a segment."""
