"""Whose run starts next, when not all can start at once."""
