"""What people ask the system itself, and what they are answered."""
