"""The demonstration model: an OpenAI-compatible endpoint that answers without intelligence.

It lets the whole system run, and be tested, without a key, a network or a bill.
"""
