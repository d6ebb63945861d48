"""Everything that crosses a wire: messages, subjects, custom resources, names and limits.

This is the only place where a byte format, a subject or a field name is
defined. Nothing in here does I/O, and nothing in here imports the rest of the
library, so any program may depend on all of it.
"""
