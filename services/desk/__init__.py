"""What every service of the desk shares: events, streams, the Redis client and the main loop."""
