"""The web channel: a chat page, and the HTTP interface behind it that other programs may use."""
