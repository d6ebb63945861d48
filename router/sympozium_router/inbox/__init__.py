"""From INBOX to a decision: who is heard, which agent is meant, and in what order."""
