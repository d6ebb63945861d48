"""The Telegram channel: one bot account in Telegram."""
