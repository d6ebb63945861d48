"""What runs in the pod of an AgentRun: the agent, its bridge and its tool sidecars.

Each of `agent`, `bridge` and `tool_runner` is a program of its own, in a container
of its own. They share no memory and no network: they talk through journals.
"""
