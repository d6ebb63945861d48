"""From AgentRun to Job, and from what a run says to its status."""
