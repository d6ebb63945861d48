"""The Discord channel: one bot account in Discord."""
