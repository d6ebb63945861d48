"""Messages that were given up: set aside, counted, shown to operators, tried again."""
