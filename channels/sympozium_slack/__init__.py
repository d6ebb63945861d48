"""The Slack channel: one bot account in Slack."""
