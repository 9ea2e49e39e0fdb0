"""`python -m fastlint` is `fastlint`. Nothing else."""

from fastlint.cli import main

main()
