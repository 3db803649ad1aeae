"""Who is who: pure decisions over identifiers, entities and their limits."""
