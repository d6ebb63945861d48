"""What channels and the controller ask the router, each on a subject of its own."""
