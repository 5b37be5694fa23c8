"""What Pulumi starts: serves the pack until the engine is done.

The pack's rules are this repository's, so it is used from a checkout of it, not published by itself.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pulumi_policy import PolicyPack

from policy.pack import policies

if __name__ == "__main__":
    PolicyPack(name="aurora-global-database", policies=policies())
