"""What every chat channel shares: who is heard, how an answer looks, and when it may be sent."""
