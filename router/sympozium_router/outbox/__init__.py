"""The one end of each message: found, put into words, and published in order."""
