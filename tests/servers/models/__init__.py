"""Real model servers for the tests: MLServer, KServe, Triton, and the TensorFlow Serving API over a
real SavedModel.

Each lives in a virtual environment of its own, which is installed on first use, and serves the
same digits classifier.
"""
