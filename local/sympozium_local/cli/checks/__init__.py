"""What `doctor` looks at: one module a matter, each returns checks and changes nothing."""
