"""The session store: what people asked, what they were told, and how far each message is.

Its rows are also the tombstones by which a message that comes again is known
long after its run is gone.
"""
