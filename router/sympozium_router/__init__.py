"""The router: who may speak, which agent answers, and what people are told.

It decides by rules and holds no model: it sees every message of the system, so
nothing in it may be steerable by text. Its state is in the API server, on the
bus and in the session store; it may be killed at any line.
"""
