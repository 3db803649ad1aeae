"""The cdp command."""
