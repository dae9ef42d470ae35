"""What stands between the network and the ASGI application: Daphne's connections, with limits."""
