"""The controller: objects become objects, run events status, and tokens bus grants."""
