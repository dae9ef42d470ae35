"""Real servers for the tests: an Apache Kafka broker, an RTSP camera, an MJPEG camera, and cameras
that misbehave.

All of them listen on loopback only, and end with the process that started them.
"""
