"""What may be created: the webhook that looks at other objects, and its certificates."""
