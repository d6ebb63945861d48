"""The one way from the agent to its model: adds the key, allows one model, streams through."""
