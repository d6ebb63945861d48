"""Messages and their AgentRuns: whose turn it is, what a run is asked and told."""
