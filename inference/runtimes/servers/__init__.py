"""Where tensors are computed: in this process, or by a model server."""

import os

# gRPC's core would write every failed attempt to standard error, too; callers get it as an error.
# It reads this when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
