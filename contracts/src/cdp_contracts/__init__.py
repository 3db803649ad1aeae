"""The typed messages that Tessera's services exchange."""
