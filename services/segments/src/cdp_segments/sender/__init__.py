"""The sender: posts flips of segments to the destinations of other teams."""
