"""What can go wrong, each as a small object that is injected and is over when that returns."""
