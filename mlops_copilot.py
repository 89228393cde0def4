"""``import mlops_copilot`` is ``import copilot``: one module under two names."""

import sys

sys.modules[__name__] = __import__("copilot")
