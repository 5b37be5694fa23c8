"""Serve the policy pack to the Pulumi engine.

The pack imports this repository's rules, so it runs only from a checkout.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pulumi_policy import PolicyPack

from policy.pack import policies

if __name__ == "__main__":
    PolicyPack(name="aurora-global-database", policies=policies())
