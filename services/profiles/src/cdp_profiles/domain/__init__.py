"""What a profile is and how events and merges change it. Pure: no clock, no I/O, no await."""
