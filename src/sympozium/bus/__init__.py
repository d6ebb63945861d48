"""The message bus: durable streams with acknowledgements, requests and live subjects."""
