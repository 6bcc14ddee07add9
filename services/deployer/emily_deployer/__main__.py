"""`python -m emily_deployer`."""

from emily_runtime import run

from emily_deployer.service import Deployer

run(Deployer)
