"""Values: normal forms of what people type, each computed in one place."""
