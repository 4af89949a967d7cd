"""The library that all services share: events, streams, the Redis client and the main loop."""
