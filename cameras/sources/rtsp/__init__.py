"""RTSP cameras: FFmpeg decodes, a relay on loopback does the talking and the log-in."""
