"""What every program does alike: loops and their end, settings, logs, health."""
