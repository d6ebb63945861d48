"""From Channel to Deployment, and from an Agent's shorthand to Channels."""
