"""The library that all programs of Sympozium share."""
