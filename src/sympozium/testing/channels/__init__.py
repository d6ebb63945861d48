"""The contract of a channel as tests: what a person does at the platform, and what they then see.

A channel takes part with a `Driver`: its stand-in platform, seen with a person's
eyes, and its program running against it. `python -m pytest --pyargs
sympozium.testing.channels --channel=<module>:<function>` runs every scenario.
"""
