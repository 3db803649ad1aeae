"""What the collector decides: pure functions of the event, its arrival and the definitions in force."""
