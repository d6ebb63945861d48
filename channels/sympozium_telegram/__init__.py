"""The channel that speaks Telegram for one bot account."""
