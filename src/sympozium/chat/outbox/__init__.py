"""From OUTBOX to what a person sees: "working on it", the growing answer, the end."""
