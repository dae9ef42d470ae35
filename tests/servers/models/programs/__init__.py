"""What runs inside the environments of the model servers; nothing here is imported by the tests."""
