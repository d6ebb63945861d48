"""The contract of a channel as tests: what a person does at the platform, and what they then see.

A channel takes part with a `Driver`: its stand-in platform, seen with a person's
eyes, and its program running against it. This runs every scenario:

    pytest -p sympozium.testing.channels.plugin --pyargs sympozium.testing.channels \
        --channel=<module>:<function>
"""
