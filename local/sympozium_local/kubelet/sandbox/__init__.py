"""One container as one process tree in namespaces of its own, forked from a warm parent.

What runs between the fork and the container's own code lives here and imports nothing but the
standard library and msgspec, because all of it is inside every container's memory.
"""
