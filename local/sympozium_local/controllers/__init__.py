"""The built-in controllers that Kubernetes brings along: Jobs, Deployments, ReplicaSets, Endpoints.

Only what programs here rely on, but that as the real ones do it. Each decides in a
pure function from objects to a plan, and carries the plan out in a short loop.
"""
