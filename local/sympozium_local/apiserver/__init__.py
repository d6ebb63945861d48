"""A small server that speaks the Kubernetes API, over SQLite.

The way of a request: `gateway` (who asks, for what, may they: `authn`, `rbac`) to `rest`,
`subresources` or `reviews`; from there to `objects`, which holds the rules of every write
(`wishes`, `meta`, `strategy`, `admission` with `policies` and `webhooks`, `deletion`) and puts it
into the `store`. What
is committed goes to the watchers (`watch`, `watching`) and to the `garbage` collector.
`server` puts the parts together.
"""
